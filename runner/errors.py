"""Every way a run can fail: one class each, with its exit code and its remedy.

``docs/errors.md`` is generated from this file. A class's docstring says when it is raised, ``recognised`` how the
program tells it, ``acts`` who can do something about it; ``remedy`` is what the person at the Prow page should do, and
may be made more precise where the error is raised.
"""

from __future__ import annotations

from enum import Enum, IntEnum
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


class Acts(Enum):
    """Who can do something about an error; the value is what that is."""

    AUTHOR = "changes what is released: the next version, a commit, a push"
    ADMINISTRATOR = "changes the job, its environment or what it works with; mostly followed by a rerun"
    NOBODY = "has to change anything: a rerun or some time is all, or there is nothing to do"


class ReleaseError(Exception):
    """Base of all expected failures.

    Args:
        cause: what happened and where, one sentence without a final full stop.
        remedy: what to do now; the class's own when left out.
        detail: further lines (a tool's last output lines, a list of differences), oldest first.
    """

    exit_code: ClassVar[ExitCode]
    acts: ClassVar[Acts]
    """Who acts on the class's own remedy."""
    recognised: ClassVar[str]
    """How the program tells it from others: what it has seen."""
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
    acts = Acts.ADMINISTRATOR
    recognised = "Options and variables are read and compared before anything else is done."
    remedy = "Correct the option or variable named here; ack-release COMMAND --help shows what each takes."


class EventInvalid(ReleaseError):
    """Prow's environment is missing, cannot be parsed, or JOB_SPEC and the flat variables disagree."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "JOB_SPEC is parsed, and compared with each flat variable that is set."
    remedy = "Run inside a Prow postsubmit, or set REPO_OWNER, REPO_NAME and PULL_BASE_REF."


class CheckoutMissing(ReleaseError):
    """The repository that the event names is in none of the places where clonerefs puts it, or git cannot read it."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "The folders of clonerefs are looked for, and git is asked for HEAD in the one that is there."
    remedy = "Pass the folder that holds the clones with --workspace, or start the run inside the clone."


class ConfigurationInvalid(ReleaseError):
    """``jobs.yaml`` cannot be read, has an unknown or repeated key, a bad value, or names that collide."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "jobs.yaml and what it names are read whole, against their schema, before anything else."
    remedy = "Correct jobs.yaml at the line named here; ack-release schema prints what it may hold."


class AwsSettingWrong(ReleaseError):
    """AWS cannot be asked as jobs.yaml says: a parameter, a region or a name is missing or is not what it should be."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "AWS answers that there is no such parameter or region, or that a value is malformed."
    remedy = "Correct what is named here in jobs.yaml (aws:) or in AWS, then rerun."


class GeneratedFilesDiffer(ReleaseError):
    """Prow's job configuration does not match jobs.yaml: a file differs, is missing or is no longer generated."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "Each file is generated anew and compared byte by byte."
    remedy = "Run ack-release prowjobs generate, review what it changed, and commit it."


class FolderUnusable(ReleaseError):
    """The folder of Prow's job configuration cannot be used, or another file stands where a generated one belongs."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "A file there does not begin with the generator's line, or the system refuses the folder."
    remedy = "Move that file away or make the folder writable, then run ack-release prowjobs generate."


class ServiceUnknown(ReleaseError):
    """No service in ``jobs.yaml`` lives in this repository, or --service names one that is not configured."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "The names under services: and their repositories do not have the one that is asked for."
    remedy = "Add the service under services: in jobs.yaml, or correct the name."


class StorageUnusable(ReleaseError):
    """A folder that the run writes to is full, over its quota, read-only, broken, or not the user's to write."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = (
        "ENOSPC, EDQUOT, EROFS, EACCES, EIO and the like, in an error of the run or in words of git, go or helm."
    )
    remedy = (
        "Give the folder named here more space (ephemeral-storage, the volume's sizeLimit, another TMPDIR or GOCACHE),"
        " or let the runner's user write it, then rerun: what is published is not sent again."
    )


class ProxyUnusable(ReleaseError):
    """The proxy that the environment names cannot be used: its address is wrong, or it refuses to connect."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "The variable holds no http:// or https:// address, or the proxy answers CONNECT with an error."
    remedy = "Correct or unset the variable named here (or list the host in NO_PROXY), then rerun the job."


class RegistryForbids(ReleaseError):
    """A rule of the registry forbids what the release needs: a quota, a limit of size or number, a policy."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "Status, code and words of the registry's answer together name a quota, a limit or a policy."
    is_of_service = True
    remedy = "Change the registry's rule named here, or what it applies to; a rerun changes nothing before that."


class ToolUnusable(ReleaseError):
    """helm, go or git is missing or older than the runner's minimum."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "The program is asked for its version once, before it is needed."
    remedy = "Install the version named here, or point build.helm or build.go in jobs.yaml at it."


class ClusterUnusable(ReleaseError):
    """It is not known which Kubernetes cluster is meant, or it is none that Prow runs in."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "The kubeconfig, the context or the pod's own account is missing or cannot be read."
    remedy = "Name the cluster with --kubeconfig, --context and --namespace, as for kubectl."


class JobUnknown(ReleaseError):
    """There is no ProwJob of this name, or a short name means several."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "The Kubernetes API answers 404, or no release job has a name that begins so."
    remedy = "Look at ack-release jobs list for the jobs that there are; Prow removes old ones."


class JobStillRuns(ReleaseError):
    """A job was to be run again that has not ended yet."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "The ProwJob's state is triggered, scheduling or pending."
    remedy = "Wait for its end or abort it (ack-release jobs abort); --force reruns it all the same, after this one."


class NothingToAbort(ReleaseError):
    """A job was to be aborted that has ended."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "The ProwJob's state is one that it keeps: success, failure, aborted or error."
    remedy = "There is nothing to do; ack-release jobs show says how it ended."


class LatestUnusable(ReleaseError):
    """Prow's page does not say how a job would be run again with today's configuration."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "Prow's page is not known, or gives no job of today's configuration."
    remedy = "Name the address of Prow's page with --deck, or rerun the job as it was, without --latest."


class LogUnavailable(ReleaseError):
    """A job's log can be had neither from its pod nor from where Prow keeps it."""

    exit_code = ExitCode.USAGE
    acts = Acts.ADMINISTRATOR
    recognised = "The pod is gone, and the bucket has no log or is of a kind that is not read."
    remedy = "Open the job's page in Prow."


class CloneUnclean(ReleaseError):
    """The author's clone has changes that are not committed; a release is made of what is committed."""

    exit_code = ExitCode.USAGE
    acts = Acts.AUTHOR
    recognised = "git status names files in the author's clone."
    remedy = "Commit, stash or remove what is named here, then run the command again."


class CommitRefused(ReleaseError):
    """Git did not commit the release artifacts: it knows no author, or one of the clone's own hooks refused."""

    exit_code = ExitCode.USAGE
    acts = Acts.AUTHOR
    recognised = "git commit, with the author's own hooks, does not end with 0."
    remedy = "Do what git says here, then run the command again: nothing was pushed, and the clone is as it was."


class PushRefused(ReleaseError):
    """The remote refused the branch or the tag by a rule of its own: a hook, a protected branch, missing rights."""

    exit_code = ExitCode.USAGE
    acts = Acts.AUTHOR
    recognised = "The push of one ref fails, and the remote holds afterwards what it held before."
    remedy = "Do what the remote says here, then run the command again; nothing of it was pushed."


# --- 3: not a release ------------------------------------------------------------------------------------------------


class NotARelease(ReleaseError):
    """The ref is neither a tag vMAJOR.MINOR.PATCH, with numbers that Helm can read, nor the branch stable."""

    exit_code = ExitCode.NOT_A_RELEASE
    acts = Acts.NOBODY
    recognised = "The full name of the pushed ref is compared with the two forms that are released."
    remedy = "Nothing to repair here: only tags vMAJOR.MINOR.PATCH and the branch stable are released."


class TagMoved(ReleaseError):
    """The release tag does not point at the commit that is checked out."""

    exit_code = ExitCode.NOT_A_RELEASE
    acts = Acts.AUTHOR
    recognised = "git says in the clone which commit the tag names, and which one is checked out."
    remedy = (
        "Rerun the job of the tag's newest push (by hand: check the tag out); never move a release tag: release the"
        " next version instead."
    )


class StableIsATag(ReleaseError):
    """The ref stable is a tag; only the branch of that name moves the stable chart."""

    exit_code = ExitCode.NOT_A_RELEASE
    acts = Acts.AUTHOR
    recognised = "What was pushed is an annotated tag, or HEAD is the commit of refs/tags/stable in the clone."
    remedy = "Delete the tag stable (git push --delete REMOTE refs/tags/stable), then push the branch."


class HistoryMissing(ReleaseError):
    """The clone is shallow or has no tags, so the version that stable stands for cannot be found."""

    exit_code = ExitCode.NOT_A_RELEASE
    acts = Acts.ADMINISTRATOR
    recognised = "git says that the clone is shallow, or lists no tags."
    remedy = "Remove clone_depth, skip_fetch_head and sparse_checkout_files from the job, then rerun it."


class NoReleaseMerged(ReleaseError):
    """No tag vMAJOR.MINOR.PATCH is merged into the head of stable."""

    exit_code = ExitCode.NOT_A_RELEASE
    acts = Acts.AUTHOR
    recognised = "git lists no release tag that is an ancestor of HEAD."
    remedy = "Start the branch stable at a released tag, then push it again."


# --- 4: invalid release ----------------------------------------------------------------------------------------------


class CommitUnusable(ReleaseError):
    """The commit's date is none that an artifact can state, or it holds a file that cannot be written to a folder."""

    exit_code = ExitCode.INVALID_RELEASE
    acts = Acts.AUTHOR
    recognised = "git prints the commit's date, and says of a name that it cannot write it."
    remedy = "Repair what is named here, commit, and tag that commit with the next version."


class ChartMissing(ReleaseError):
    """The service has no chart folder, or the folder has no Chart.yaml or values.yaml that can be read."""

    exit_code = ExitCode.INVALID_RELEASE
    acts = Acts.AUTHOR
    recognised = "The commit's tree is exported, and the files are looked for in it."
    remedy = "Commit the chart that build-controller-release.sh writes, then tag again with the next version."


class ChartDisagrees(ReleaseError):
    """Chart.yaml, values.yaml or the rendered workload disagree with the tag or with the naming."""

    exit_code = ExitCode.INVALID_RELEASE
    acts = Acts.AUTHOR
    recognised = "What Chart.yaml, values.yaml and the rendered workload say is compared with the tag and naming."
    remedy = "Regenerate the release artifacts for this version, commit them, and tag that commit."


class ChartUnusable(ReleaseError):
    """helm refuses to lint, render or package the chart, it is not whole, or no cluster could install it."""

    exit_code = ExitCode.INVALID_RELEASE
    acts = Acts.AUTHOR
    recognised = "helm lints, renders and packages the chart; what it renders is looked through."
    remedy = "Repair the chart where helm points, commit, and tag that commit with the next version."


class CrdsDiffer(ReleaseError):
    """A custom resource definition of config/crd is missing in the chart, or differs there in its spec."""

    exit_code = ExitCode.INVALID_RELEASE
    acts = Acts.AUTHOR
    recognised = "Both definitions are parsed, and their specs compared without descriptions."
    remedy = (
        "Regenerate the release artifacts, so that the chart's crds folder holds what config/crd does, commit, and tag"
        " that commit with the next version."
    )


class NothingInTag(ReleaseError):
    """A repository with several services, and no chart in it has the tag's version."""

    exit_code = ExitCode.INVALID_RELEASE
    acts = Acts.AUTHOR
    recognised = "version in the Chart.yaml of each of the repository's services is compared with the tag."
    remedy = "Set version in the Chart.yaml of each service to release, commit, and tag that commit."


class StableImageAbsent(ReleaseError):
    """The image that the stable chart names does not answer in the registry."""

    exit_code = ExitCode.INVALID_RELEASE
    acts = Acts.NOBODY
    recognised = "The registry answers 404 with MANIFEST_UNKNOWN, NAME_UNKNOWN or NOT_FOUND to the image's name."
    remedy = "Release that image first (rerun its tag's job), then rerun this one."


class StableDisagrees(ReleaseError):
    """The majors of chart, image and resolved tag differ, or the image is newer than the resolved tag."""

    exit_code = ExitCode.INVALID_RELEASE
    acts = Acts.AUTHOR
    recognised = "The three versions are read from the branch's chart and from git, and compared."
    remedy = "Correct version, appVersion and image.tag on the branch stable, then push it again."


class VersionNotNext(ReleaseError):
    """The version is not the next patch, minor or major after the newest release tag of the repository."""

    exit_code = ExitCode.INVALID_RELEASE
    acts = Acts.AUTHOR
    recognised = "The version is compared with the newest release tag that the remote lists."
    remedy = "Release one of the versions named here; to tag it, prepare and merge its artifacts first."


class OtherFilesChanged(ReleaseError):
    """The program that writes a release's artifacts changed files that are none."""

    exit_code = ExitCode.INVALID_RELEASE
    acts = Acts.AUTHOR
    recognised = "After the program ran, git names changed files outside of prepare.files."
    remedy = (
        "Commit and merge those changes on their own first; if they belong to a release, let prepare.files name them."
    )


# --- 5: conflict -----------------------------------------------------------------------------------------------------


class AlreadyPublished(ReleaseError):
    """A name of this release already holds other content, and a release never changes."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.AUTHOR
    recognised = "What is published names another commit or repository, or none, or is another chart."
    remedy = "Release the next version; what is published under this one stays as it is."


class ReleaseIncomplete(ReleaseError):
    """A release that is to be copied is not whole: its image or its chart is missing, or belongs to another one."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.NOBODY
    recognised = "Every name of the version is read; a chart's annotations name the image's digest."
    remedy = "Rerun the release job of this version's tag, then copy it again."


class MirrorDiffers(ReleaseError):
    """A release is to be copied to where one of its names holds something else; nothing was written there."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.ADMINISTRATOR
    recognised = "Each name is read at the place before anything is written, and holds another digest."
    remedy = "Find out what was published there and by whom, then copy to another namespace or folder."


class ReleaseNotRestorable(ReleaseError):
    """A part of a released image or chart is gone, and what its commit gives today is not the same."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.ADMINISTRATOR
    recognised = "A part that the index lists answers 404, and today's build has another digest."
    remedy = (
        "Rerun with what it was released with (a runner's image of that time, --base-image, platforms in jobs.yaml), or"
        " push what is gone from a copy by its digest."
    )


class VersionTaken(ReleaseError):
    """The version that a change would release is already tagged, at another commit."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.AUTHOR
    recognised = "git has the version's tag in the clone, at a commit other than HEAD."
    remedy = "Regenerate the release artifacts for the next version that has no tag; a release tag never moves."


class BranchTaken(ReleaseError):
    """The branch of this release is there already, with other content; it is never overwritten."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.AUTHOR
    recognised = "The clone or the remote has the branch, and its commit holds other files."
    remedy = "Merge or close what is there, delete that branch, then run the command again."


class StableDiverged(ReleaseError):
    """The branch stable holds commits that the release does not; moving it would lose them."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.AUTHOR
    recognised = "The commit at the remote's stable is no ancestor of the release's."
    remedy = "Merge stable into the release's commit with git merge --strategy=ours, and push that to stable."


class StableBackwards(ReleaseError):
    """The stable chart would move to something older than what it is now."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.AUTHOR
    recognised = "The version and commit in the published stable chart's annotations are newer than HEAD's."
    remedy = (
        "If this is intended, commit to stable with the trailer Stable-Move: backwards; otherwise there is nothing to"
        " do."
    )


class TagChanged(ReleaseError):
    """Someone else wrote the tag while this run was publishing."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.ADMINISTRATOR
    recognised = "The tag is read before and after it is written, and names what this run did not write."
    remedy = (
        "Find the other writer (a second job, a person), then rerun: the rerun compares again, and finishes or refuses."
    )


class FindingsLeft(ReleaseError):
    """``verify`` or ``audit`` found something that is not as it should be."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.ADMINISTRATOR
    recognised = "A check of what is published, or a comparison with git, has a finding."
    remedy = "Do what the row of each finding says (rerun the job, correct the registry or git), then rerun this check."


class TagImmutable(ReleaseError):
    """The registry changes no tag that is there, and this run was to write one."""

    exit_code = ExitCode.CONFLICT
    acts = Acts.AUTHOR
    recognised = "The registry refuses the tag's PUT in words or with a code that speak of tags that stay."
    remedy = (
        "Release the next version. Where a stable chart was to move: let the registry change tags that end in -stable,"
        " then rerun."
    )


# --- 6: build --------------------------------------------------------------------------------------------------------


class OutputTooLarge(ReleaseError):
    """A program that the release needs printed more than is kept, as a template that repeats without end makes helm."""

    exit_code = ExitCode.BUILD_FAILED
    acts = Acts.AUTHOR
    recognised = "The size of what a program has printed is looked at while it runs."
    remedy = "Repair what makes it print so much (the last lines say what), commit, and tag with the next version."


class BuildFailed(ReleaseError):
    """The compiler failed, or an input of the image is missing."""

    exit_code = ExitCode.BUILD_FAILED
    acts = Acts.AUTHOR
    recognised = "Go ends with an error that is none of those below, such as FILE.go:LINE; or a file is not there."
    remedy = "Repair the source, commit, and tag that commit with the next version."


class OutOfMemory(ReleaseError):
    """The kernel killed a program that the build needs, or gave it no memory."""

    exit_code = ExitCode.BUILD_FAILED
    acts = Acts.ADMINISTRATOR
    recognised = "Go ends with SIGKILL (137), or says signal: killed or cannot allocate memory."
    remedy = "Raise the job's memory (prow.resources in jobs.yaml) or lower build.parallel, then rerun."


class ModulesUnavailable(ReleaseError):
    """A module that the build needs cannot be fetched, which is not the source's fault."""

    exit_code = ExitCode.BUILD_FAILED
    acts = Acts.NOBODY
    recognised = "Go says that a proxy, checksum server or host answered with 5xx or 429, or not at all."
    remedy = "Rerun once the module proxy and the checksum server answer."


class GoTooOld(ReleaseError):
    """go.mod asks for a newer Go than the one that is installed."""

    exit_code = ExitCode.BUILD_FAILED
    acts = Acts.ADMINISTRATOR
    recognised = "Go says requires go >= VERSION (running go VERSION)."
    remedy = "Run a newer runner image, or point build.go in jobs.yaml at a newer Go, then rerun."


class BinaryWrong(ReleaseError):
    """The compiled binary lacks the commit, version or date it should carry, or is of another architecture."""

    exit_code = ExitCode.BUILD_FAILED
    acts = Acts.AUTHOR
    recognised = "The binary's architecture and the values that were stamped into it are read back."
    remedy = "Check the module's version package (GitVersion, GitCommit, BuildDate) and that main uses it."


class BaseImageUnusable(ReleaseError):
    """The base image lacks a platform, or its config names another architecture than the index does."""

    exit_code = ExitCode.BUILD_FAILED
    acts = Acts.ADMINISTRATOR
    recognised = "The base image's index and configs are read, and compared with platforms: in jobs.yaml."
    remedy = "Choose another build.base_image in jobs.yaml, then rerun."


class ArtifactsNotBuilt(ReleaseError):
    """The program that writes a release's artifacts failed, or took too long."""

    exit_code = ExitCode.BUILD_FAILED
    acts = Acts.ADMINISTRATOR
    recognised = "prepare.command does not end with 0, or cannot be started."
    remedy = "Repair what the program says here (prepare.command in jobs.yaml names it); the clone is as it was."


# --- 7: registry -----------------------------------------------------------------------------------------------------


class RegistryFailed(ReleaseError):
    """The registry refused the connection, timed out or answered with an error until the retries were used up."""

    exit_code = ExitCode.REGISTRY_FAILED
    acts = Acts.NOBODY
    recognised = "No answer, 5xx, or 429, over all attempts; the line says how often and for how long."
    remedy = "Rerun the job once the registry answers; what is published is kept and not sent again."


class NotVisibleYet(ReleaseError):
    """The registry has accepted what was pushed, but had not shown it when the time for waiting was used up."""

    exit_code = ExitCode.REGISTRY_FAILED
    acts = Acts.NOBODY
    recognised = "The registry accepted it, and answers 404 when it is read."
    remedy = "Rerun the job in a few minutes: it finds what was pushed, and goes on from there."


class RegistryAnswerWrong(ReleaseError):
    """What the registry sent is incomplete or has the wrong digest."""

    exit_code = ExitCode.REGISTRY_FAILED
    acts = Acts.NOBODY
    recognised = "The digest or length of what was received is not the one that was asked for."
    remedy = "Rerun the job; if it happens again, the registry's storage or a proxy in front of it is at fault."


class RemoteFailed(ReleaseError):
    """Git could not reach the remote, or it answered with an error, or too late."""

    exit_code = ExitCode.REGISTRY_FAILED
    acts = Acts.NOBODY
    recognised = "git fetch, ls-remote or push fails, and the remote does not say why, or not in time."
    remedy = "Run the command again once git ls-remote works for this remote."


class AwsFailed(ReleaseError):
    """AWS could not be reached, timed out or answered with an error until the retries were used up."""

    exit_code = ExitCode.REGISTRY_FAILED
    acts = Acts.NOBODY
    recognised = "No answer, 5xx, or a code such as ThrottlingException, over all attempts."
    remedy = "Rerun the job once AWS answers; what is published is kept and not sent again."


class RemoteUnreadable(ReleaseError):
    """A repository did not say which tags it has: it did not answer in time, is not there, or wants a login."""

    exit_code = ExitCode.REGISTRY_FAILED
    acts = Acts.NOBODY
    recognised = "git ls-remote fails, prints too much, or does not end in time."
    remedy = "Rerun it once the repository answers; --git-base says where the repositories are, if they are elsewhere."


class ClusterFailed(ReleaseError):
    """The Kubernetes API could not be reached, timed out or answered with an error until the retries were used up."""

    exit_code = ExitCode.REGISTRY_FAILED
    acts = Acts.NOBODY
    recognised = "The Kubernetes API gives no answer, 5xx or 429, over all attempts."
    remedy = "Call the command again once the cluster answers; ack-release jobs list shows what was done."


class NotPublicYet(ReleaseError):
    """What was published is not there yet for somebody without credentials, or is still what was there before."""

    exit_code = ExitCode.REGISTRY_FAILED
    acts = Acts.NOBODY
    recognised = "Each name is read once more without credentials: 404, or another digest, until the time is up."
    remedy = (
        "The release is published: pull the names given here without a login in some minutes. If they stay away, make"
        " their repositories public, or ask whoever runs the registry."
    )


# --- 8: credentials --------------------------------------------------------------------------------------------------


class CredentialsRefused(ReleaseError):
    """The registry or its token service refused the credentials, or asked for some and none can be had."""

    exit_code = ExitCode.CREDENTIALS
    acts = Acts.ADMINISTRATOR
    recognised = "The registry answers 401, or 403 in words that speak of logins; or no login is configured."
    remedy = "Renew the credentials in the Docker config file (DOCKER_CONFIG), then rerun."


class AwsPermissionMissing(ReleaseError):
    """AWS does not let the role, or the job's own identity, do what a release needs."""

    exit_code = ExitCode.CREDENTIALS
    acts = Acts.ADMINISTRATOR
    recognised = "AWS answers AccessDenied or not authorized to perform ACTION, or a push is denied in IAM's words."
    remedy = "Allow the role the action that is named here; docs/aws.md lists what a release needs."


class AwsCredentialsUnusable(ReleaseError):
    """The job has no AWS credentials, or those it has are incomplete, invalid or expired."""

    exit_code = ExitCode.CREDENTIALS
    acts = Acts.ADMINISTRATOR
    recognised = "boto3 finds no credentials, or AWS answers with a code such as ExpiredToken."
    remedy = (
        "Give the job's service account a role (IRSA or EKS Pod Identity), or set AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY, then rerun."
    )


class ClusterCredentialsRefused(ReleaseError):
    """The Kubernetes API does not know who asks."""

    exit_code = ExitCode.CREDENTIALS
    acts = Acts.ADMINISTRATOR
    recognised = "The Kubernetes API answers 401."
    remedy = "Log in to the cluster again, or name another user or context in the kubeconfig."


class ClusterPermissionMissing(ReleaseError):
    """The Kubernetes API does not let this user do what the command needs."""

    exit_code = ExitCode.CREDENTIALS
    acts = Acts.ADMINISTRATOR
    recognised = "The Kubernetes API answers 403 and names what is not allowed."
    remedy = "Have an administrator apply prowjobs/rbac.yaml, and be in a group that it names."


class NotPublic(ReleaseError):
    """What was published is there, but the registry refuses it to somebody without credentials."""

    exit_code = ExitCode.CREDENTIALS
    acts = Acts.ADMINISTRATOR
    recognised = "Each name is read once more without credentials: 401 or 403."
    remedy = (
        "The release is published, and nothing needs a rerun: make the repositories named here public, so that its"
        " users can pull it. Where they have to log in, set verify: {anonymous: false} in jobs.yaml."
    )


# --- 9: ended --------------------------------------------------------------------------------------------------------


class RunEnded(ReleaseError):
    """A signal or the deadline ended the run."""

    exit_code = ExitCode.ENDED
    acts = Acts.NOBODY
    recognised = "SIGINT or SIGTERM arrives, or the deadline, which is derived from Prow's timeout, passes."
    remedy = "Rerun the job: it completes the release, and what is published is not sent again."


def worst(codes: Iterable[int]) -> ExitCode:
    """Return the exit code of a run in which these codes occurred (see SEVERITY)."""
    occurred = set(codes)
    return next((code for code in SEVERITY if code in occurred), ExitCode.DONE)
