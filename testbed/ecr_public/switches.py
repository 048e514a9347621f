"""What may be chosen of how ECR Public behaves here."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0


@dataclass(frozen=True)
class Switches:
    """How it behaves; the defaults are what is known of the real one (docs/local-ecr-public.md has the sources).

    Attributes:
        token_seconds: how long a bearer token from ``/token/`` lives.
        credential_seconds: how long the answer of GetAuthorizationToken can be exchanged, or used itself.
        session_seconds: how long an assumed role's credentials live; None: as long as the caller asked for.
        longest_session_seconds: the MaxSessionDuration of every role; one hour at most where a role assumes another.
        mount: whether a blob is mounted from another repository (201); else the answer is an upload (202).
        blob_redirects: whether blobs are read through another host, as a content delivery network serves them.
        tag_lag_seconds: how long after a write a tag still shows what it showed before.
        tag_lag_reads: how many reads after a write still show what it showed before.
        manifest_lag_reads: how many reads by digest of a manifest just written are answered 404.
        completions_per_second: quota of CompleteLayerUpload.
        uploads_per_second: quota of InitiateLayerUpload.
        checks_per_second: quota of BatchCheckLayerAvailability.
        tokens_per_second: quota of GetAuthorizationToken.
        anonymous_pulls_per_second: quota of manifests read without an account; None: none.
        account_pulls_per_second: quota of manifests read by an account; None: none.
        retry_after: the header Retry-After of an answer 429; None: the answer has none.
        referrers: whether the referrers API is served; else 404.
        subjects: whether manifests with a subject are taken; else 405.
        most_repositories: quota of repositories.
    """

    token_seconds: float = HOUR
    credential_seconds: float = 12 * HOUR
    session_seconds: float | None = None
    longest_session_seconds: int = int(HOUR)
    mount: bool = False
    blob_redirects: bool = True
    tag_lag_seconds: float = 0.0
    tag_lag_reads: int = 0
    manifest_lag_reads: int = 0
    completions_per_second: int = 10
    uploads_per_second: int = 200
    checks_per_second: int = 200
    tokens_per_second: int = 200
    anonymous_pulls_per_second: int | None = None
    account_pulls_per_second: int | None = None
    retry_after: str | None = None
    referrers: bool = True
    subjects: bool = True
    most_repositories: int = 10_000

    def per_second(self, action: str) -> int | None:
        """The quota of what IAM calls so; None: none is known."""
        return {
            "ecr-public:CompleteLayerUpload": self.completions_per_second,
            "ecr-public:InitiateLayerUpload": self.uploads_per_second,
            "ecr-public:BatchCheckLayerAvailability": self.checks_per_second,
            "ecr-public:GetAuthorizationToken": self.tokens_per_second,
        }.get(action)
