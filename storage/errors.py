"""What can go wrong while keeping; every message is one sentence that says what to do.

StorageError
├── FolderInUseError         another Limner holds this folder
├── ReadOnlyFolderError      the folder or a file in it can't be written
├── DiskFullError            no room, found before painting or while writing
├── DiskError                the disk can't be read or written for another reason
├── DatabaseLockedError      another program held the database for too long
├── NewerDatabaseError       a newer Limner wrote this database
├── CorruptDatabaseError     not a database, damaged, or not Limner's
├── BackupError              a backup that can't be written or restored
├── NoSuchJobError           no job has this id (any more)
├── NoSuchPictureError       no picture has this id or hash (any more)
├── IllegalTransitionError   the job is not in a state from which it may go there
├── QuotaRefusedError        the member may not paint this now; carries the reason
└── InvalidSettingError      a rule or setting that means nothing
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .quotas import Refused
    from .records import JobStatus


class StorageError(Exception):
    """Root of everything this package raises on purpose."""


class FolderInUseError(StorageError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another Limner is using {folder}; stop it first, or give this one its own folder."
        )


class ReadOnlyFolderError(StorageError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} can't be written; give the user that runs Limner write access to it."
        )


class DiskFullError(StorageError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"The disk with {folder} is full; free some space, or lower the picture budget."
        )


class DiskError(StorageError):
    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(f"The disk with {folder} could not be used ({detail}); check the disk.")


class DatabaseLockedError(StorageError):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"Another program keeps {path} locked; close it there, Limner then goes on."
        )


class NewerDatabaseError(StorageError):
    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path} was written by a newer Limner (version {found}, this one knows {known}); "
            "update Limner, or restore an older backup."
        )


class CorruptDatabaseError(StorageError):
    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path} is not a sound Limner database ({detail}); restore a backup.")


class BackupError(StorageError):
    """The backup can't be written or restored; the message says why."""


class NoSuchJobError(StorageError):
    def __init__(self, job_id: int) -> None:
        super().__init__(f"There is no job {job_id}; it may have been deleted.")
        self.job_id = job_id


class NoSuchPictureError(StorageError):
    def __init__(self, which: int | str) -> None:
        super().__init__(f"There is no picture {which}; it may have been deleted.")
        self.which = which


class IllegalTransitionError(StorageError):
    """Somebody else moved the job first, or it has ended; nothing was changed."""

    def __init__(self, job_id: int, found: JobStatus, wanted: JobStatus) -> None:
        super().__init__(f"Job {job_id} is {found}, so it can't become {wanted}.")
        self.job_id = job_id
        self.found = found
        self.wanted = wanted


class QuotaRefusedError(StorageError):
    """The job was not accepted and nothing was held; `refused` says why and when again."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"The quota refuses this job: {refused.reason.value}.")
        self.refused = refused


class InvalidSettingError(StorageError):
    """The message says what was wrong with the value."""
