"""What ends on disk: pictures with their parameters, and the record of jobs and pictures."""
