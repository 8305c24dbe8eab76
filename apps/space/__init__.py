"""A page of one's own on Hugging Face Spaces: `build` writes its folder, `push` uploads it, `bulk` is what may use its GPU."""
