"""Projects, what they are made of, and what was spent."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table, those that others point to first."""
    _projects_and_spend()
    _corpus()
    _pairs()
    _labelled_queries()
    _demonstrations()
    _reviews_and_generation()


def _projects_and_spend() -> None:
    op.create_table(
        "project",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("base_model", sa.Text(), nullable=False),
        sa.Column("chunk_tokens", sa.Integer(), nullable=False),
        sa.Column("chunk_overlap_tokens", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("name", name=op.f("uq_project_name")),
    )
    op.create_table(
        "provider",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("key_variable", sa.Text(), nullable=False),
        sa.Column("input_usd_per_million", sa.Float(), nullable=True),
        sa.Column("output_usd_per_million", sa.Float(), nullable=True),
        sa.Column("usd_per_thousand_searches", sa.Float(), nullable=True),
        sa.Column("prices_on", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider")),
        sa.UniqueConstraint("name", name=op.f("uq_provider_name")),
    )
    op.create_table(
        "spend",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=16), nullable=True),
        sa.Column("job_id", sa.String(length=16), nullable=True),
        sa.Column("provider", sa.String(length=120), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spend")),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_started", sa.Float(), nullable=False),
        sa.Column("heartbeat_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )


def _corpus() -> None:
    op.create_table(
        "file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("job_id", sa.String(length=16), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("missing_pages", sa.JSON(), nullable=False),
        sa.Column("document_id", sa.String(length=16), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_file_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file")),
    )
    op.create_index(op.f("ix_file_project_id_job_id"), "file", ["project_id", "job_id"], unique=False)
    op.create_table(
        "document",
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("num_pages", sa.Integer(), nullable=True),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sections", sa.JSON(), nullable=False),
        sa.Column("held_out", sa.Boolean(), nullable=False),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_document_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_document")),
    )
    op.create_table(
        "chunk",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("document_id", sa.String(length=200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("num_tokens", sa.Integer(), nullable=False),
        sa.Column("duplicate_of", sa.String(length=200), nullable=True),
        sa.Column("near_duplicate_of", sa.String(length=200), nullable=True),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_chunk_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_chunk")),
        sa.UniqueConstraint("project_id", "origin", "id", name=op.f("uq_chunk_project_id_origin_id")),
    )
    op.create_index(op.f("ix_chunk_project_id_document_id"), "chunk", ["project_id", "document_id"], unique=False)


def _pairs() -> None:
    op.create_table(
        "pair",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("set_aside_by", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("split", sa.String(length=12), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("chunk_id", sa.String(length=200), nullable=False),
        sa.Column("document_id", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("generator", sa.String(length=64), nullable=False),
        sa.Column("outcomes", sa.JSON(), nullable=False),
        sa.Column("original", sa.JSON(), nullable=True),
        sa.Column("reviewed_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_pair_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_pair")),
        sa.UniqueConstraint("project_id", "id", name=op.f("uq_pair_project_id_id")),
    )
    op.create_index("ix_pair_project_id_document_id_seq", "pair", ["project_id", "document_id", "seq"], unique=False)
    op.create_index("ix_pair_project_id_reviewed_at", "pair", ["project_id", "reviewed_at"], unique=False)
    op.create_index("ix_pair_project_id_seq", "pair", ["project_id", "seq"], unique=False)
    op.create_index("ix_pair_project_id_state_seq", "pair", ["project_id", "state", "seq"], unique=False)
    op.create_table(
        "relevance",
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("pair_id", sa.String(length=200), nullable=False),
        sa.Column("chunk_id", sa.String(length=200), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "pair_id"],
            ["pair.project_id", "pair.id"],
            name=op.f("fk_relevance_project_id_pair_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_relevance_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "pair_id", "chunk_id", name=op.f("pk_relevance")),
    )
    op.create_index(op.f("ix_relevance_project_id_chunk_id"), "relevance", ["project_id", "chunk_id"], unique=False)


def _labelled_queries() -> None:
    op.create_table(
        "choice",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("documents", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_choice_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_choice")),
        sa.UniqueConstraint("project_id", "id", name=op.f("uq_choice_project_id_id")),
    )
    op.create_table(
        "labelled",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("set_aside_by", sa.String(length=32), nullable=False),
        sa.Column("set_aside_why", sa.Text(), nullable=False),
        sa.Column("split", sa.String(length=12), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("seed_question", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("generator", sa.String(length=64), nullable=False),
        sa.Column("reviewed_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_labelled_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_labelled")),
        sa.UniqueConstraint("project_id", "id", name=op.f("uq_labelled_project_id_id")),
    )
    op.create_index("ix_labelled_project_id_label_seq", "labelled", ["project_id", "label", "seq"], unique=False)
    op.create_index("ix_labelled_project_id_reviewed_at", "labelled", ["project_id", "reviewed_at"], unique=False)
    op.create_index("ix_labelled_project_id_state_seq", "labelled", ["project_id", "state", "seq"], unique=False)


def _demonstrations() -> None:
    op.create_table(
        "demonstration",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("set_aside_by", sa.String(length=32), nullable=False),
        sa.Column("split", sa.String(length=12), nullable=False),
        sa.Column("group", sa.String(length=200), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("generator", sa.String(length=64), nullable=False),
        sa.Column("original", sa.JSON(), nullable=True),
        sa.Column("reviewed_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_demonstration_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_demonstration")),
        sa.UniqueConstraint("project_id", "kind", "id", name=op.f("uq_demonstration_project_id_kind_id")),
    )
    for columns in (["kind", "group"], ["kind", "state", "seq"], ["reviewed_at"]):
        name = "_".join(["ix_demonstration_project_id", *columns])
        op.create_index(name, "demonstration", ["project_id", *columns], unique=False)


def _reviews_and_generation() -> None:
    op.create_table(
        "review_step",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("batch", sa.String(length=16), nullable=False),
        sa.Column("pair_seq", sa.Integer(), nullable=True),
        sa.Column("labelled_seq", sa.Integer(), nullable=True),
        sa.Column("demonstration_seq", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["demonstration_seq"],
            ["demonstration.seq"],
            name=op.f("fk_review_step_demonstration_seq"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["labelled_seq"], ["labelled.seq"], name=op.f("fk_review_step_labelled_seq"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["pair_seq"], ["pair.seq"], name=op.f("fk_review_step_pair_seq"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_review_step_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_review_step")),
    )
    op.create_index("ix_review_step_batch", "review_step", ["batch"], unique=False)
    op.create_index("ix_review_step_demonstration_seq", "review_step", ["demonstration_seq"], unique=False)
    op.create_index("ix_review_step_labelled_seq", "review_step", ["labelled_seq"], unique=False)
    op.create_index("ix_review_step_pair_seq", "review_step", ["pair_seq"], unique=False)
    op.create_index("ix_review_step_project_id_seq", "review_step", ["project_id", "seq"], unique=False)
    op.create_table(
        "generation",
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("generator", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("example_id", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_generation_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "generator", "subject_id", "number", name=op.f("pk_generation")),
    )
    op.create_table(
        "prompt",
        sa.Column("project_id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_prompt_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("project_id", "name", "version", name=op.f("pk_prompt")),
    )
