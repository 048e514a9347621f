"""Every way a run can fail: one class each, with its exit code and its remedy.

``docs/errors.md`` is generated from this file. A class's docstring says when it is raised; ``remedy`` is what the
person at the Prow page should do, and may be made more precise where the error is raised.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class ExitCode(IntEnum):
    """What the process's exit code means; the outside contract."""

    DONE = 0
    BUG = 1
    USAGE = 2
    NOT_A_RELEASE = 3
    INVALID_RELEASE = 4
    CONFLICT = 5
    BUILD_FAILED = 6
    REGISTRY_FAILED = 7
    CREDENTIALS = 8
    ENDED = 9


SEVERITY: tuple[ExitCode, ...] = (
    ExitCode.ENDED,
    ExitCode.BUG,
    ExitCode.USAGE,
    ExitCode.NOT_A_RELEASE,
    ExitCode.CREDENTIALS,
    ExitCode.CONFLICT,
    ExitCode.INVALID_RELEASE,
    ExitCode.BUILD_FAILED,
    ExitCode.REGISTRY_FAILED,
)
"""Which code a run with several failures ends with: the first of these that occurred, whatever came first in time."""


class ReleaseError(Exception):
    """Base of all expected failures.

    Args:
        cause: what happened and where, one sentence without a final full stop.
        remedy: what to do now; the class's own when left out.
        detail: further lines (a tool's last output lines, a list of differences), oldest first.
    """

    exit_code: ClassVar[ExitCode]
    remedy: str
    is_of_service: ClassVar[bool] = False
    """Whether it concerns one service, although its exit code is one of those that stop a whole run."""

    def __init__(self, cause: str, *, remedy: str | None = None, detail: Sequence[str] = ()) -> None:
        super().__init__(cause)
        self.cause = cause
        self.detail = tuple(detail)
        if remedy is not None:
            self.remedy = remedy

    @property
    def code(self) -> str:
        """The error's stable name in records, reports and documentation, e.g. ``tag-moved``."""
        words = "".join(f"-{c.lower()}" if c.isupper() else c for c in type(self).__name__)
        return words.lstrip("-")


# --- 2: usage, configuration or environment -------------------------------------------------------------------------


class UsageInvalid(ReleaseError):
    """An option or an environment override is wrong, or two of them disagree."""

    exit_code = ExitCode.USAGE
    remedy = "Correct the option or variable named here; ack-release COMMAND --help shows what each takes."


class EventInvalid(ReleaseError):
    """Prow's environment is missing, cannot be parsed, or JOB_SPEC and the flat variables disagree."""

    exit_code = ExitCode.USAGE
    remedy = "Run inside a Prow postsubmit, or set REPO_OWNER, REPO_NAME and PULL_BASE_REF."


class CheckoutMissing(ReleaseError):
    """The repository that the event names is in none of the places where clonerefs puts it, or git cannot read it."""

    exit_code = ExitCode.USAGE
    remedy = "Pass the folder that holds the clones with --workspace, or start the run inside the clone."


class ConfigurationInvalid(ReleaseError):
    """``jobs.yaml`` cannot be read, has an unknown or repeated key, a bad value, or names that collide."""

    exit_code = ExitCode.USAGE
    remedy = "Correct jobs.yaml at the line named here; ack-release schema prints what it may hold."


class AwsSettingWrong(ReleaseError):
    """AWS cannot be asked as jobs.yaml says: a parameter, a region or a name is missing or is not what it should be."""

    exit_code = ExitCode.USAGE
    remedy = "Correct what is named here in jobs.yaml (aws:) or in AWS, then rerun."


class GeneratedFilesDiffer(ReleaseError):
    """Prow's job configuration does not match jobs.yaml: a file differs, is missing or is no longer generated."""

    exit_code = ExitCode.USAGE
    remedy = "Run ack-release prowjobs generate, review what it changed, and commit it."


class FolderUnusable(ReleaseError):
    """The folder of Prow's job configuration cannot be used, or another file stands where a generated one belongs."""

    exit_code = ExitCode.USAGE
    remedy = "Move that file away or make the folder writable, then run ack-release prowjobs generate."


class ServiceUnknown(ReleaseError):
    """No service in ``jobs.yaml`` lives in this repository, or --service names one that is not configured."""

    exit_code = ExitCode.USAGE
    remedy = "Add the service under services: in jobs.yaml, or correct the name."


class StorageUnusable(ReleaseError):
    """A folder that the run writes to is full, over its quota, read-only, broken, or not the user's to write."""

    exit_code = ExitCode.USAGE
    remedy = (
        "Give the folder named here more space (ephemeral-storage, the volume's sizeLimit, another TMPDIR or GOCACHE),"
        " or let the runner's user write it, then rerun: what is published is not sent again."
    )


class ProxyUnusable(ReleaseError):
    """The proxy that the environment names cannot be used: its address is wrong, or it refuses to connect."""

    exit_code = ExitCode.USAGE
    remedy = "Correct or unset the variable named here (or list the host in NO_PROXY), then rerun the job."


class RegistryForbids(ReleaseError):
    """A rule of the registry forbids what the release needs: a quota, a limit of size or number, a policy."""

    exit_code = ExitCode.USAGE
    is_of_service = True
    remedy = "Change the registry's rule named here, or what it applies to; a rerun changes nothing before that."


class ToolUnusable(ReleaseError):
    """helm, go or git is missing or older than the runner's minimum."""

    exit_code = ExitCode.USAGE
    remedy = "Install the version named here, or point build.helm or build.go in jobs.yaml at it."


class CloneUnclean(ReleaseError):
    """The author's clone has changes that are not committed; a release is made of what is committed."""

    exit_code = ExitCode.USAGE
    remedy = "Commit, stash or remove what is named here, then run the command again."


class CommitRefused(ReleaseError):
    """Git did not commit the release artifacts: it knows no author, or one of the clone's own hooks refused."""

    exit_code = ExitCode.USAGE
    remedy = "Do what git says here, then run the command again: nothing was pushed, and the clone is as it was."


class PushRefused(ReleaseError):
    """The remote refused the branch or the tag by a rule of its own: a hook, a protected branch, missing rights."""

    exit_code = ExitCode.USAGE
    remedy = "Do what the remote says here, then run the command again; nothing of it was pushed."


# --- 3: not a release ------------------------------------------------------------------------------------------------


class NotARelease(ReleaseError):
    """The ref is neither a tag vMAJOR.MINOR.PATCH, with numbers that Helm can read, nor the branch stable."""

    exit_code = ExitCode.NOT_A_RELEASE
    remedy = "Nothing to repair here: only tags vMAJOR.MINOR.PATCH and the branch stable are released."


class TagMoved(ReleaseError):
    """The release tag does not point at the commit that is checked out."""

    exit_code = ExitCode.NOT_A_RELEASE
    remedy = (
        "Rerun the job of the tag's newest push (by hand: check the tag out); never move a release tag: release the"
        " next version instead."
    )


class StableIsATag(ReleaseError):
    """The ref stable is a tag; only the branch of that name moves the stable chart."""

    exit_code = ExitCode.NOT_A_RELEASE
    remedy = "Delete the tag stable (git push --delete REMOTE refs/tags/stable), then push the branch."


class HistoryMissing(ReleaseError):
    """The clone is shallow or has no tags, so the version that stable stands for cannot be found."""

    exit_code = ExitCode.NOT_A_RELEASE
    remedy = "Remove clone_depth, skip_fetch_head and sparse_checkout_files from the job, then rerun it."


class NoReleaseMerged(ReleaseError):
    """No tag vMAJOR.MINOR.PATCH is merged into the head of stable."""

    exit_code = ExitCode.NOT_A_RELEASE
    remedy = "Start the branch stable at a released tag, then push it again."


# --- 4: invalid release ----------------------------------------------------------------------------------------------


class ChartMissing(ReleaseError):
    """The service has no chart folder, or the folder has no Chart.yaml or values.yaml that can be read."""

    exit_code = ExitCode.INVALID_RELEASE
    remedy = "Commit the chart that build-controller-release.sh writes, then tag again with the next version."


class ChartDisagrees(ReleaseError):
    """Chart.yaml, values.yaml or the rendered workload disagree with the tag or with the naming."""

    exit_code = ExitCode.INVALID_RELEASE
    remedy = "Regenerate the release artifacts for this version, commit them, and tag that commit."


class ChartUnusable(ReleaseError):
    """helm refuses to lint, render or package the chart, it is not whole, or no cluster could install it."""

    exit_code = ExitCode.INVALID_RELEASE
    remedy = "Repair the chart where helm points, commit, and tag that commit with the next version."


class CrdsDiffer(ReleaseError):
    """A custom resource definition of config/crd is missing in the chart, or differs there in its spec."""

    exit_code = ExitCode.INVALID_RELEASE
    remedy = (
        "Regenerate the release artifacts, so that the chart's crds folder holds what config/crd does, commit, and tag"
        " that commit with the next version."
    )


class NothingInTag(ReleaseError):
    """A repository with several services, and no chart in it has the tag's version."""

    exit_code = ExitCode.INVALID_RELEASE
    remedy = "Set version in the Chart.yaml of each service to release, commit, and tag that commit."


class StableImageAbsent(ReleaseError):
    """The image that the stable chart names does not answer in the registry."""

    exit_code = ExitCode.INVALID_RELEASE
    remedy = "Release that image first (rerun its tag's job), then rerun this one."


class StableDisagrees(ReleaseError):
    """The majors of chart, image and resolved tag differ, or the image is newer than the resolved tag."""

    exit_code = ExitCode.INVALID_RELEASE
    remedy = "Correct version, appVersion and image.tag on the branch stable, then push it again."


class VersionNotNext(ReleaseError):
    """The version is not the next patch, minor or major after the newest release tag of the repository."""

    exit_code = ExitCode.INVALID_RELEASE
    remedy = "Release one of the versions named here; to tag it, prepare and merge its artifacts first."


class OtherFilesChanged(ReleaseError):
    """The program that writes a release's artifacts changed files that are none."""

    exit_code = ExitCode.INVALID_RELEASE
    remedy = (
        "Commit and merge those changes on their own first, or add the files to prepare.files in jobs.yaml if they"
        " belong to a release."
    )


# --- 5: conflict -----------------------------------------------------------------------------------------------------


class AlreadyPublished(ReleaseError):
    """A name of this release already holds other content, and a release never changes."""

    exit_code = ExitCode.CONFLICT
    remedy = "Release the next version; what is published under this one stays as it is."


class VersionTaken(ReleaseError):
    """The version that a change would release is already tagged, at another commit."""

    exit_code = ExitCode.CONFLICT
    remedy = "Regenerate the release artifacts for the next version that has no tag; a release tag never moves."


class BranchTaken(ReleaseError):
    """The branch of this release is there already, with other content; it is never overwritten."""

    exit_code = ExitCode.CONFLICT
    remedy = "Merge or close what is there, delete that branch, then run the command again."


class StableDiverged(ReleaseError):
    """The branch stable holds commits that the release does not; moving it would lose them."""

    exit_code = ExitCode.CONFLICT
    remedy = "Merge stable into the release's commit with git merge --strategy=ours, and push that to stable."


class StableBackwards(ReleaseError):
    """The stable chart would move to something older than what it is now."""

    exit_code = ExitCode.CONFLICT
    remedy = (
        "If this is intended, commit to stable with the trailer Stable-Move: backwards; otherwise there is nothing to"
        " do."
    )


class TagChanged(ReleaseError):
    """Someone else wrote the tag while this run was publishing."""

    exit_code = ExitCode.CONFLICT
    remedy = (
        "Find the other writer (a second job, a person), then rerun: the rerun compares again, and finishes or refuses."
    )


class TagImmutable(ReleaseError):
    """The registry changes no tag that is there, and this run was to write one."""

    exit_code = ExitCode.CONFLICT
    remedy = (
        "Release the next version. Where a stable chart was to move: let the registry change tags that end in -stable,"
        " then rerun."
    )


# --- 6: build --------------------------------------------------------------------------------------------------------


class BuildFailed(ReleaseError):
    """The compiler failed, or an input of the image is missing."""

    exit_code = ExitCode.BUILD_FAILED
    remedy = "Repair the source, commit, and tag that commit with the next version."


class OutOfMemory(ReleaseError):
    """The kernel killed a program that the build needs, or gave it no memory."""

    exit_code = ExitCode.BUILD_FAILED
    remedy = "Raise the job's memory (prow.resources in jobs.yaml) or lower build.parallel, then rerun."


class ModulesUnavailable(ReleaseError):
    """A module that the build needs cannot be fetched, which is not the source's fault."""

    exit_code = ExitCode.BUILD_FAILED
    remedy = "Rerun once the module proxy and the checksum server answer."


class GoTooOld(ReleaseError):
    """go.mod asks for a newer Go than the one that is installed."""

    exit_code = ExitCode.BUILD_FAILED
    remedy = "Run a newer runner image, or point build.go in jobs.yaml at a newer Go, then rerun."


class BinaryWrong(ReleaseError):
    """The compiled binary lacks the commit, version or date it should carry, or is of another architecture."""

    exit_code = ExitCode.BUILD_FAILED
    remedy = "Check the module's version package (GitVersion, GitCommit, BuildDate) and that main uses it."


class BaseImageUnusable(ReleaseError):
    """The base image lacks a platform, or its config names another architecture than the index does."""

    exit_code = ExitCode.BUILD_FAILED
    remedy = "Choose another build.base_image in jobs.yaml, then rerun."


class ArtifactsNotBuilt(ReleaseError):
    """The program that writes a release's artifacts failed, or took too long."""

    exit_code = ExitCode.BUILD_FAILED
    remedy = "Repair what the program says here (prepare.command in jobs.yaml names it); the clone is as it was."


# --- 7: registry -----------------------------------------------------------------------------------------------------


class RegistryFailed(ReleaseError):
    """The registry refused the connection, timed out or answered with an error until the retries were used up."""

    exit_code = ExitCode.REGISTRY_FAILED
    remedy = "Rerun the job once the registry answers; what is published is kept and not sent again."


class NotVisibleYet(ReleaseError):
    """The registry has accepted what was pushed, but had not shown it when the time for waiting was used up."""

    exit_code = ExitCode.REGISTRY_FAILED
    remedy = "Rerun the job in a few minutes: it finds what was pushed, and goes on from there."


class RegistryAnswerWrong(ReleaseError):
    """What the registry sent is incomplete or has the wrong digest."""

    exit_code = ExitCode.REGISTRY_FAILED
    remedy = "Rerun the job; if it happens again, the registry's storage or a proxy in front of it is at fault."


class RemoteFailed(ReleaseError):
    """Git could not reach the remote, or it answered with an error, or too late."""

    exit_code = ExitCode.REGISTRY_FAILED
    remedy = "Run the command again once git ls-remote works for this remote."


class AwsFailed(ReleaseError):
    """AWS could not be reached, timed out or answered with an error until the retries were used up."""

    exit_code = ExitCode.REGISTRY_FAILED
    remedy = "Rerun the job once AWS answers; what is published is kept and not sent again."


class NotPublicYet(ReleaseError):
    """What was published is not there yet for somebody without credentials, or is still what was there before."""

    exit_code = ExitCode.REGISTRY_FAILED
    remedy = (
        "The release is published: pull the names given here without a login in some minutes. If they stay away, make"
        " their repositories public, or ask whoever runs the registry."
    )


# --- 8: credentials --------------------------------------------------------------------------------------------------


class CredentialsRefused(ReleaseError):
    """The registry or its token service refused the credentials, or asked for some and none can be had."""

    exit_code = ExitCode.CREDENTIALS
    remedy = "Renew the credentials in the Docker config file (DOCKER_CONFIG), then rerun."


class AwsPermissionMissing(ReleaseError):
    """AWS does not let the role, or the job's own identity, do what a release needs."""

    exit_code = ExitCode.CREDENTIALS
    remedy = "Allow the role the action that is named here; docs/aws.md lists what a release needs."


class AwsCredentialsUnusable(ReleaseError):
    """The job has no AWS credentials, or those it has are incomplete, invalid or expired."""

    exit_code = ExitCode.CREDENTIALS
    remedy = (
        "Give the job's service account a role (IRSA or EKS Pod Identity), or set AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY, then rerun."
    )


class NotPublic(ReleaseError):
    """What was published is there, but the registry refuses it to somebody without credentials."""

    exit_code = ExitCode.CREDENTIALS
    remedy = (
        "The release is published, and nothing needs a rerun: make the repositories named here public, so that its"
        " users can pull it. Where they have to log in, set verify: {anonymous: false} in jobs.yaml."
    )


# --- 9: ended --------------------------------------------------------------------------------------------------------


class RunEnded(ReleaseError):
    """A signal or the deadline ended the run."""

    exit_code = ExitCode.ENDED
    remedy = "Rerun the job: it completes the release, and what is published is not sent again."


def worst(codes: Iterable[int]) -> ExitCode:
    """Return the exit code of a run in which these codes occurred (see SEVERITY)."""
    occurred = set(codes)
    return next((code for code in SEVERITY if code in occurred), ExitCode.DONE)
