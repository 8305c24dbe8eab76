"""What the command line does with images: `inputs` reads them, `walks` and `tools` are the commands of `textae image`."""
