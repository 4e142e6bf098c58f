import pytest

from modules.schema.errors import KararliError
from modules.settings import Settings
from modules.storage.lock import lock_outputs


def test_a_data_folder_is_served_by_one_program_at_a_time(tmp_path) -> None:
    settings = Settings(data_dir=tmp_path)
    lock = lock_outputs(settings)
    with pytest.raises(KararliError, match=r"Another Kararli already serves the data folder .* --data-dir"):
        lock_outputs(settings)
    lock.release()
    lock_outputs(settings).release()


def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(tmp_path) -> None:
    (tmp_path / "outputs").write_text("a file in the way")
    with pytest.raises(KararliError, match="outputs cannot be written"):
        lock_outputs(Settings(data_dir=tmp_path))
