"""Every table. Times are seconds since the epoch (UTC), texts are UTF-8, JSON columns hold plain JSON.

Rows of a project are keyed by (project_id, id) with content-hashed ids: the same input has the same in every project.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _project_id(**options: Any) -> Column[str]:
    return Column("project_id", String(16), ForeignKey("project.id", ondelete="CASCADE"), nullable=False, **options)


def _job_id(**options: Any) -> Column[str]:
    return Column("job_id", String(16), ForeignKey("job.id", ondelete="CASCADE"), nullable=False, **options)


project = Table(
    "project",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
    Column("base_model", Text, nullable=False),
    Column("chunk_tokens", Integer, nullable=False),
    Column("chunk_overlap_tokens", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
)

file = Table(  # one row per file of an upload or import, whatever became of it
    "file",
    metadata,
    Column("id", Integer, primary_key=True),
    _project_id(),
    Column("job_id", String(16)),
    Column("name", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # parsed | partial | duplicate | refused
    Column("reason", Text, nullable=False, default=""),
    Column("missing_pages", JSON, nullable=False, default=list),
    Column("document_id", String(16)),
    Column("created_at", Float, nullable=False),
    Index(None, "project_id", "job_id"),
)

document = Table(
    "document",
    metadata,
    _project_id(primary_key=True),
    Column("id", String(16), primary_key=True),  # hash of its extracted text
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("num_pages", Integer),
    Column("language", String(8), nullable=False, default=""),
    Column("text", Text, nullable=False),
    Column("sections", JSON, nullable=False),  # [{"heading": "A > B", "start": 0, "end": 10}], offsets into text
    Column("held_out", Boolean, nullable=False, default=False),  # searched, but never a source of training questions
    Column("excluded", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
)

chunk = Table(
    "chunk",
    metadata,
    Column("seq", Integer, primary_key=True),
    _project_id(),
    Column("origin", String(64), nullable=False, default=""),  # "" for own documents, else the id of an import
    Column("id", String(200), nullable=False),  # content hash, or the imported id
    Column("document_id", String(200), nullable=False),
    Column("position", Integer, nullable=False),  # order within the document
    Column("heading", Text, nullable=False, default=""),
    Column("text", Text, nullable=False),
    Column("num_tokens", Integer, nullable=False),
    Column("duplicate_of", String(200)),  # exact duplicate: id of the chunk that stands for it
    Column("near_duplicate_of", String(200)),
    Column("excluded", Boolean, nullable=False, default=False),
    UniqueConstraint("project_id", "origin", "id"),
    Index(None, "project_id", "document_id"),
)

pair = Table(
    "pair",
    metadata,
    Column("seq", Integer, primary_key=True),  # order of creation; pages of the table view go by it
    _project_id(),
    Column("id", String(200), nullable=False),  # content hash, or the imported id
    Column("version", Integer, nullable=False, default=1),  # grows with every change; every edit names the one it saw
    Column("state", String(16), nullable=False),  # pending | accepted | rejected | aside
    Column("set_aside_by", String(32), nullable=False, default=""),  # the filter that set it aside
    Column("origin", String(64), nullable=False, default=""),  # as in chunk
    Column("split", String(12), nullable=False, default=""),  # train | validation | test where imported so, else ""
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False, default=""),
    Column("evidence", Text, nullable=False, default=""),  # a quote that stands in the passage, or ""
    Column("chunk_id", String(200), nullable=False),  # the first relevant chunk
    Column("document_id", String(200), nullable=False),
    Column("source", String(16), nullable=False),  # generated | imported | written
    Column("generator", String(64), nullable=False, default=""),
    Column(
        "outcomes", JSON, nullable=False, default=dict
    ),  # filter name -> {"passed": bool, "score": float, "detail": str}
    Column("original", JSON),  # question, answer and evidence as first made, once a person edited them
    Column("reviewed_at", Float),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("project_id", "id"),
    Index("ix_pair_project_id_seq", "project_id", "seq"),
    Index("ix_pair_project_id_state_seq", "project_id", "state", "seq"),
    Index("ix_pair_project_id_document_id_seq", "project_id", "document_id", "seq"),
    Index("ix_pair_project_id_reviewed_at", "project_id", "reviewed_at"),
)

choice = Table(  # what a router chooses among
    "choice",
    metadata,
    Column("seq", Integer, primary_key=True),  # order of creation
    _project_id(),
    Column("id", String(200), nullable=False),  # the label that queries carry
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column(
        "documents", JSON, nullable=False, default=list
    ),  # ids of the documents that queries for it are written over
    UniqueConstraint("project_id", "id"),
)

labelled = Table(  # queries, each with the choice it is for
    "labelled",
    metadata,
    Column("seq", Integer, primary_key=True),
    _project_id(),
    Column("id", String(200), nullable=False),  # content hash, or the imported id
    Column("version", Integer, nullable=False, default=1),
    Column("state", String(16), nullable=False),  # as in pair
    Column("set_aside_by", String(32), nullable=False, default=""),
    Column("set_aside_why", Text, nullable=False, default=""),
    Column("split", String(12), nullable=False, default=""),
    Column("query", Text, nullable=False),
    Column("label", String(200), nullable=False),  # id of a choice; "" is out of scope
    Column("seed_question", String(200), nullable=False),  # what it was worded after: the group that is never split
    Column("source", String(16), nullable=False),
    Column("generator", String(64), nullable=False, default=""),
    Column("reviewed_at", Float),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("project_id", "id"),
    Index("ix_labelled_project_id_state_seq", "project_id", "state", "seq"),
    Index("ix_labelled_project_id_reviewed_at", "project_id", "reviewed_at"),
    Index("ix_labelled_project_id_label_seq", "project_id", "label", "seq"),
)

demonstration = (
    Table(  # what a strong model or a person answered to an input: chats, calls, judgements, comparisons, SQL
        "demonstration",
        metadata,
        Column("seq", Integer, primary_key=True),
        _project_id(),
        Column("kind", String(32), nullable=False),  # the name of its record's class
        Column("id", String(200), nullable=False),  # content hash, or the imported id
        Column("version", Integer, nullable=False, default=1),
        Column("state", String(16), nullable=False),  # as in pair
        Column("set_aside_by", String(32), nullable=False, default=""),
        Column("split", String(12), nullable=False, default=""),
        Column("group", String(200), nullable=False),  # what may never straddle two parts
        Column("content", JSON, nullable=False),  # the other fields of the record
        Column("question", Text, nullable=False),  # what is asked and what is right, as texts to list and to search
        Column("answer", Text, nullable=False),
        Column("source", String(16), nullable=False),  # as in pair, or recorded
        Column("generator", String(64), nullable=False, default=""),
        Column("original", JSON),  # the content as it first was, once a person edited it
        Column("reviewed_at", Float),
        Column("created_at", Float, nullable=False),
        UniqueConstraint("project_id", "kind", "id"),
        Index("ix_demonstration_project_id_kind_state_seq", "project_id", "kind", "state", "seq"),
        Index("ix_demonstration_project_id_kind_group", "project_id", "kind", "group"),
        Index("ix_demonstration_project_id_reviewed_at", "project_id", "reviewed_at"),
    )
)

relevance = Table(
    "relevance",
    metadata,
    _project_id(primary_key=True),
    Column("pair_id", String(200), primary_key=True),
    Column("chunk_id", String(200), primary_key=True),
    Column("grade", Integer, nullable=False, default=1),
    ForeignKeyConstraint(["project_id", "pair_id"], ["pair.project_id", "pair.id"], ondelete="CASCADE"),
    Index(None, "project_id", "chunk_id"),
)

review_step = Table(  # what an example was before each decision or edit; undo takes back the last batch of its kind
    "review_step",
    metadata,
    Column("seq", Integer, primary_key=True),
    _project_id(),
    Column("batch", String(16), nullable=False),  # one for each press of a key, however many examples it changed
    Column("pair_seq", Integer, ForeignKey("pair.seq", ondelete="CASCADE")),  # one of the kinds' columns is filled
    Column("labelled_seq", Integer, ForeignKey("labelled.seq", ondelete="CASCADE")),
    Column("demonstration_seq", Integer, ForeignKey("demonstration.seq", ondelete="CASCADE")),
    Column("version", Integer, nullable=False),  # the example's version after the change
    Column("before", JSON, nullable=False),  # column name -> value before the change
    Index("ix_review_step_project_id_seq", "project_id", "seq"),
    Index("ix_review_step_batch", "batch"),
    Index("ix_review_step_pair_seq", "pair_seq"),
    Index("ix_review_step_labelled_seq", "labelled_seq"),
    Index("ix_review_step_demonstration_seq", "demonstration_seq"),
)

generation = Table(  # one row per example asked of a generator, so that none is asked or paid for twice
    "generation",
    metadata,
    _project_id(primary_key=True),
    Column("generator", String(64), primary_key=True),  # hash of provider, model, prompt and language
    Column("subject_id", String(200), primary_key=True),  # what it was asked about: a chunk, a choice as described
    Column("number", Integer, primary_key=True),  # 0 is the first example of the subject
    Column("record", String(32), nullable=False),  # the kind of example
    Column("state", String(16), nullable=False),  # written | unusable | failed
    Column("example_id", String(200)),
    Column("reason", Text, nullable=False, default=""),
    Column("created_at", Float, nullable=False),
)

tool_list = Table(  # functions that a model may call, kept under a name to choose from
    "tool_list",
    metadata,
    _project_id(primary_key=True),
    Column("name", String(120), primary_key=True),
    Column("tools", JSON, nullable=False),  # in OpenAI's form
    Column("created_at", Float, nullable=False),
)

prompt = Table(  # a project's own edition of a prompt file
    "prompt",
    metadata,
    _project_id(primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

dataset = Table(
    "dataset",
    metadata,
    _project_id(primary_key=True),
    Column("id", String(16), primary_key=True),  # content hash
    Column("name", String(120), nullable=False),
    Column("manifest", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("project_id", "name"),
)

model = Table(
    "model",
    metadata,
    Column("id", String(16), primary_key=True),
    _project_id(),
    Column("job_id", String(16), nullable=False),
    Column("recipe", String(64), nullable=False),
    Column("dataset_id", String(16), nullable=False),
    Column("name", String(120), nullable=False),
    Column("manifest", JSON, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Index(None, "project_id", "created_at"),
)

comparison = Table(
    "comparison",
    metadata,
    Column("id", String(16), primary_key=True),
    _project_id(),
    Column("job_id", String(16), nullable=False),
    Column("dataset_id", String(16), nullable=False),
    Column("recipe", String(64), nullable=False),
    Column("result", JSON, nullable=False),  # the summary; rows lie in the comparison's folder
    Column("created_at", Float, nullable=False),
    Index(None, "project_id", "created_at"),
)

provider = Table(
    "provider",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # openai (and all that is compatible) | cohere
    Column("base_url", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("key_variable", Text, nullable=False),  # the name of the environment variable, never its value
    Column("input_usd_per_million", Float),
    Column("output_usd_per_million", Float),
    Column("usd_per_thousand_searches", Float),
    Column("training_usd_per_million", JSON, nullable=False, default=dict),  # model to price
    Column("prices_on", String(10), nullable=False, default=""),  # the day the person looked the prices up, ISO 8601
    Column("created_at", Float, nullable=False),
)

spend = Table(
    "spend",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", String(16)),  # kept when the project goes: the money is spent all the same
    Column("job_id", String(16)),
    Column("provider", String(120), nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cost_usd", Float),
    Column("at", Float, nullable=False),
)

worker = Table(
    "worker",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("process_started", Float, nullable=False),
    Column("heartbeat_at", Float, nullable=False),
)

job = Table(
    "job",
    metadata,
    Column("id", String(16), primary_key=True),
    _project_id(),
    Column("kind", String(32), nullable=False),
    Column("title", Text, nullable=False, default=""),
    Column("params", JSON, nullable=False),
    Column("unique_key", String(200), unique=True),  # emptied when the job ends: one live job for a key
    Column("heavy", Boolean, nullable=False),
    Column("state", String(12), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("request", String(8), nullable=False, default=""),  # "" | stop | cancel
    Column("progress", Float, nullable=False, default=0.0),
    Column("message", Text, nullable=False, default=""),
    Column("error", Text, nullable=False, default=""),
    Column("hint", Text, nullable=False, default=""),
    Column("result", JSON, nullable=False, default=dict),
    Column("worker_id", String(16)),
    Column("pid", Integer),
    Column("process_started", Float),
    Column("lease_expires_at", Float),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Index(None, "state", "created_at"),
    Index(None, "project_id", "kind", "created_at"),
)

LIVE_STATES = ("queued", "running")
"""The states of a job that has not ended, as `jobs.states.LIVE` names them."""

job_after = Table(  # what has to end before a job is claimed
    "job_after",
    metadata,
    _job_id(primary_key=True),
    Column("after_id", String(16), ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("is_part", Boolean, nullable=False),  # queued for this job alone: cancelled and resumed with it
)

job_fact = Table(
    "job_fact",
    metadata,
    _job_id(primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("value", JSON),
)

metric = Table(
    "metric",
    metadata,
    _job_id(primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("value", Float, nullable=False),
    Column("at", Float, nullable=False),
)
