"""The page, in Gradio: one file a tab."""
