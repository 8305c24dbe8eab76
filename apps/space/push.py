"""Uploads the folder of a Space to the Hugging Face Hub; what can go wrong there is said in a sentence."""

from pathlib import Path

from apps.space.build import kind_of


def push(repo_id: str, folder: Path, *, private: bool = False, hardware: str | None = None, token: str | None = None, endpoint: str | None = None) -> str:
    """Upload a folder that `textae space build` wrote; returns the Space's address.

    Files of the Space that are not in the folder are deleted from it.

    Args:
        repo_id: Such as `someone/textae`; made if it does not exist.
        folder: From `build` or `build_static`.
        private: Whether a new Space is private.
        hardware: Of a new Space; None takes the Hub's default.
        token: Of the Hub; None takes the one that `hf auth login` stored, or HF_TOKEN.
        endpoint: Address of the Hub; None is the public one.

    Raises:
        ValueError: The name is none, there is no token or it may not write there, or the Hub does not answer.
    """
    from huggingface_hub import HfApi, get_token

    # HTTPError is that of the client underneath, whose name has changed between versions.
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, OfflineModeIsEnabled

    kind = kind_of(folder)
    if repo_id.count("/") != 1 or not all(repo_id.split("/")):
        raise ValueError(f"{repo_id!r} is no name of a Space: give ORG/NAME, such as someone/textae")
    token = token or get_token()
    if not token:
        raise ValueError("no token of the Hugging Face Hub was found: run hf auth login, or set HF_TOKEN to a token that may write")
    api = HfApi(endpoint=endpoint, token=token)
    options = {"space_hardware": hardware} if hardware and kind == "gradio" else {}
    try:
        url = api.create_repo(repo_id, repo_type="space", space_sdk=kind, private=private, exist_ok=True, **options)
        api.upload_folder(repo_id=repo_id, repo_type="space", folder_path=folder, commit_message="Upload a textae Space", delete_patterns="*")
    except HFValidationError as error:
        raise ValueError(f"{repo_id!r} is no name of a Space: {_line(error)}") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise ValueError(f"the Hub refuses to write {repo_id!r} with this token: make one that may write there at huggingface.co/settings/tokens") from None
        raise ValueError(f"the Hub answered to {repo_id!r}: {_line(error)}") from None
    except (OfflineModeIsEnabled, HTTPError, ConnectionError) as error:
        raise ValueError(f"the Hub cannot be reached: {_line(error)}") from None
    return str(url)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
