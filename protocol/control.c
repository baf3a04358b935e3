/* control.c - a table for each body, and what the two sides must agree on before the first call. */
#include "protocol/control.h"

#include <inttypes.h>

#include "protocol/members.h"

/* ---- hello, welcome ---- */

/* Features that this version can have on; none so far, so none can be insisted on. */
static const char *const known_features[] = {NULL};

static bool is_known(struct span name)
{
	for (size_t i = 0; known_features[i]; i++) {
		if (span_is(name, known_features[i]))
			return true;
	}
	return false;
}

static READER(member_read_names)
{
	struct features *features = field;
	enum err err = member_read_array(
		r, at, in, LIMIT_FEATURES, sizeof *features->names, &features->names, &features->n);
	for (size_t i = 0; !err && i < features->n; i++) {
		const struct at here = at_index(at, i);
		err = member_read_label(r, &here, in, &features->names[i]);
	}
	return err;
}

static WRITER(member_write_names)
{
	const struct features *features = field;
	if (features->n == 0)
		return;
	pack_key(out, m, key);
	member_write_texts(out, features->names, features->n);
}

#define HELLO(field) offsetof(struct hello, field)
static const struct member feature_rows[] = {
	{"want", AS(names, names), HELLO(optional), 0, 0},
	{"need", AS(names, names), HELLO(critical), 0, 0},
};

static READER(member_read_features)
{
	return members_read(r, at, in, feature_rows, COUNT_OF(feature_rows), field, NULL);
}

static WRITER(member_write_features)
{
	const struct hello *hello = field;
	if (hello->optional.n == 0 && hello->critical.n == 0)
		return;
	pack_key(out, m, key);
	members_write(out, feature_rows, COUNT_OF(feature_rows), hello);
}

static const struct member hello_rows[] = {
	{"min",      AS(count,    i64),      HELLO(version_min), 0, 1},
	{"max",      AS(count,    i64),      HELLO(version_max), 0, 1},
	{"features", AS(features, features), 0,                  0, 0},
	{"client",   AS(label,    text),     HELLO(client),      0, 0},
	{"app",      AS(label,    text),     HELLO(app_name),    0, 0},
};

enum err hello_unpack(struct pack_in in, struct arena *a, struct hello *out, struct fault *why)
{
	struct reader r = {.a = a, .why = why, .bad = ERR_MALFORMED};
	const struct at top = {.up = NULL};

	*out = (struct hello){.version_min = 0};
	const enum err err =
		members_read(&r, &top, &in, hello_rows, COUNT_OF(hello_rows), out, NULL);
	if (err)
		return err;
	if (out->version_min > out->version_max) {
		const struct at min = at_member(&top, SPAN("min"));
		return reader_refuse(&r, &min, ERR_MALFORMED, "this is more than max");
	}
	if (out->version_min > PROTOCOL_VERSION || out->version_max < PROTOCOL_VERSION)
		return fault_set(why, ERR_VERSION,
			"the client speaks the protocol's versions %" PRId64 " to %" PRId64
			", this broker %d to %d: update the %s",
			out->version_min, out->version_max, PROTOCOL_VERSION, PROTOCOL_VERSION,
			out->version_min > PROTOCOL_VERSION ? "broker" : "client");
	for (size_t i = 0; i < out->critical.n; i++) {
		if (!is_known(out->critical.names[i]))
			return fault_set(why, ERR_UNSUPPORTED,
				"the client insists on the feature \"%.*s\", which this broker "
				"does "
				"not have",
				SPAN_ARG(out->critical.names[i]));
	}
	return OK;
}

void hello_pack(const struct hello *h, struct buf *out)
{
	members_write(out, hello_rows, COUNT_OF(hello_rows), h);
}

#define WELCOME(field) offsetof(struct welcome, field)
static const struct member welcome_rows[] = {
	{"version",        AS(count, i64),   WELCOME(version),        0, 1},
	{"features",       AS(names, names), WELCOME(features),       0, 0},
	{"broker",         AS(text,  text),  WELCOME(broker),         0, 0},
	{"identity",       AS(json,  text),  WELCOME(identity),       0, 0},
	{"credit",         AS(count, i64),   WELCOME(credit_bytes),   0, 1},
	{"max_body_bytes", AS(count, i64),   WELCOME(max_body_bytes), 0, 1},
};

enum err welcome_unpack(struct pack_in in, struct arena *a, struct welcome *out, struct fault *why)
{
	struct reader r = {.a = a, .why = why, .bad = ERR_MALFORMED};
	const struct at top = {.up = NULL};

	*out = (struct welcome){.version = 0};
	const enum err err =
		members_read(&r, &top, &in, welcome_rows, COUNT_OF(welcome_rows), out, NULL);
	if (err)
		return err;
	if (out->version != PROTOCOL_VERSION)
		return fault_set(why, ERR_VERSION,
			"the broker chose the protocol's version %" PRId64
			", and this client speaks %d to %d",
			out->version, PROTOCOL_VERSION, PROTOCOL_VERSION);
	return OK;
}

void welcome_pack(const struct welcome *w, struct buf *out)
{
	members_write(out, welcome_rows, COUNT_OF(welcome_rows), w);
}

/* ---- call ---- */

static const char *const kinds[] = {
	[CALL_TYPED] = "typed",
	[CALL_RELAY] = "relay",
	[CALL_NATIVE] = "native",
	[CALL_ADMIN] = "admin",
};

static READER(member_read_kind)
{
	size_t which = 0;
	struct pack_in ahead = *in;
	struct span word;
	/* a kind of a later version is no mistake, only too new */
	bool is_known_kind = !pack_str(&ahead, &word);
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		is_known_kind = is_known_kind || span_is(word, kinds[i]);
	if (!is_known_kind)
		return reader_refuse(r, at, ERR_UNSUPPORTED,
			"this broker knows no calls of kind \"%.*s\"",
			SPAN_ARG(span_first(word, 64)));
	const enum err err = member_read_word(r, at, in, kinds, COUNT_OF(kinds), &which);
	*(enum call_kind *)field = (enum call_kind)which;
	return err;
}

static WRITER(member_write_kind)
{
	const enum call_kind *kind = field;
	pack_pair_str(out, m, key, span_str(kinds[*kind]));
}

/* A typed call's operation or an admin's: which, is known only when all members are read, and until
 * then it is in admin_op. */
static READER(member_read_op)
{
	struct call *call = field;
	return member_read_label(r, at, in, &call->admin_op);
}

static WRITER(member_write_op)
{
	const struct call *call = field;
	if (call->kind == CALL_TYPED)
		pack_pair_str(out, m, key, span_str(llm_op_name(call->op)));
	else if (call->kind == CALL_ADMIN)
		pack_pair_str(out, m, key, call->admin_op);
}

#define BEHALF(field) offsetof(struct on_behalf, field)
static const struct member behalf_rows[] = {
	{"token", AS(name,  text),  BEHALF(token),    0, 0},
	{"label", AS(label, text),  BEHALF(label),    0, 0},
	{"fd",    AS(count, count), BEHALF(fd_index), 0, 0},
};

/* What is not understood here might have narrowed the call, so it is not passed over. */
static READER(member_read_behalf)
{
	struct reader closed = *r;
	closed.is_closed = true;
	return members_read(&closed, at, in, behalf_rows, COUNT_OF(behalf_rows), field, NULL);
}

static WRITER(member_write_behalf)
{
	const struct on_behalf *behalf = field;
	if (!span_is_set(behalf->token) && !span_is_set(behalf->label) && behalf->fd_index < 0)
		return;
	pack_key(out, m, key);
	members_write(out, behalf_rows, COUNT_OF(behalf_rows), behalf);
}

static enum err read_up_to(
	struct reader *r, const struct at *at, struct pack_in *in, size_t most, int64_t *out)
{
	const enum err err = member_read_count(r, at, in, out);
	if (!err && (uint64_t)*out > most)
		return reader_refuse(
			r, at, ERR_TOO_BIG, "%" PRId64 " bytes; the limit is %zu", *out, most);
	return err;
}

static READER(member_read_body)
{
	const struct span *body = field;
	const enum err err = member_read_bytes(r, at, in, field);
	if (!err && body->n > LIMIT_INLINE_BYTES)
		return reader_refuse(r, at, ERR_TOO_BIG,
			"%zu bytes; the limit is %zu, and more comes in data frames", body->n,
			LIMIT_INLINE_BYTES);
	return err;
}

static READER(member_read_body_bytes)
{
	return read_up_to(r, at, in, LIMIT_BODY_BYTES, field);
}

static READER(member_read_credit)
{
	return read_up_to(r, at, in, LIMIT_CREDIT_MAX_BYTES, field);
}

static WRITER(member_write_credit)
{
	const int64_t *credit = field;
	if (*credit != (int64_t)LIMIT_CREDIT_BYTES)
		pack_pair_i64(out, m, key, *credit);
}

static enum err read_labels(struct reader *r, const struct at *at, struct pack_in *in, size_t most,
	struct span **list, size_t *n)
{
	enum err err = member_read_array(r, at, in, most, sizeof **list, list, n);
	for (size_t i = 0; !err && i < *n; i++) {
		const struct at here = at_index(at, i);
		err = member_read_label(r, &here, in, &(*list)[i]);
	}
	return err;
}

static READER(member_read_tags)
{
	struct call *call = field;
	return read_labels(r, at, in, LIMIT_TAGS, &call->tags, &call->n_tags);
}

static WRITER(member_write_tags)
{
	const struct call *call = field;
	if (call->n_tags == 0)
		return;
	pack_key(out, m, key);
	member_write_texts(out, call->tags, call->n_tags);
}

static READER(member_read_fallbacks)
{
	struct call *call = field;
	return read_labels(r, at, in, LIMIT_FALLBACKS, &call->fallbacks, &call->n_fallbacks);
}

static WRITER(member_write_fallbacks)
{
	const struct call *call = field;
	if (call->n_fallbacks == 0)
		return;
	pack_key(out, m, key);
	member_write_texts(out, call->fallbacks, call->n_fallbacks);
}

static const char *const cache_wishes[] = {
	[CACHE_UNSAID] = "",
	[CACHE_OFF] = "off",
	[CACHE_READ] = "read",
	[CACHE_WRITE] = "write",
	[CACHE_ON] = "on",
	[CACHE_REFRESH] = "refresh",
	[CACHE_ONLY] = "only",
};

const char *cache_wish_name(enum cache_wish w)
{
	return cache_wishes[w];
}

bool cache_wish_from(struct span word, enum cache_wish *out)
{
	for (size_t i = CACHE_OFF; i < COUNT_OF(cache_wishes); i++) {
		if (span_is(word, cache_wishes[i])) {
			*out = (enum cache_wish)i;
			return true;
		}
	}
	return false;
}

static READER(member_read_cache)
{
	size_t which = 0;
	const enum err err = member_read_word(
		r, at, in, cache_wishes + CACHE_OFF, COUNT_OF(cache_wishes) - CACHE_OFF, &which);
	*(enum cache_wish *)field = (enum cache_wish)(which + CACHE_OFF);
	return err;
}

static WRITER(member_write_cache)
{
	const enum cache_wish *wish = field;
	if (*wish != CACHE_UNSAID)
		pack_pair_str(out, m, key, span_str(cache_wishes[*wish]));
}

#define CALL(field)  offsetof(struct call, field)
#define KIND(kind)   (UINT32_C(1) << (kind))
#define EVERY        UINT32_MAX
#define BY_OPERATION (KIND(CALL_TYPED) | KIND(CALL_ADMIN))
#define BY_SURFACE   (KIND(CALL_RELAY) | KIND(CALL_NATIVE))
static const struct member call_rows[] = {
	{"kind",            AS(kind,       kind),      CALL(kind),             0,            EVERY       },
	{"op",              AS(op,         op),        0,                      BY_OPERATION, BY_OPERATION},
	{"surface",         AS(surface,    surface),   CALL(surface),          BY_SURFACE,   BY_SURFACE  },
	{"behalf",          AS(behalf,     behalf),    CALL(behalf),           0,            0           },
	{"body",            AS(body,       bytes),     CALL(body),             0,            0           },
	{"body_bytes",      AS(body_bytes, count),     CALL(body_bytes),       0,            0           },
	{"credit",          AS(credit,     credit),    CALL(credit_bytes),     0,            0           },
	{"timeout_ms",      AS(count,      positive),  CALL(timeout_ms),       0,            0           },
	{"max_cost_nusd",   AS(count,      count),     CALL(max_cost_nusd),    0,            0           },
	{"batch",           AS(bool,       bool),      CALL(is_batch),         0,            0           },
	{"at_most_once",    AS(bool,       bool),      CALL(is_at_most_once),  0,            0           },
	{"idempotency_key", AS(label,      text),      CALL(idempotency_key),  0,            0           },
	{"tags",            AS(tags,       tags),      0,                      0,            0           },
	{"fallbacks",       AS(fallbacks,  fallbacks), 0,                      0,            0           },
	{"session",         AS(label,      text),      CALL(session),          0,            0           },
	{"cache",           AS(cache,      cache),     CALL(cache.wish),       0,            0           },
	{"cache_max_age_s", AS(count,      count),     CALL(cache.max_age_s),  0,            0           },
	{"cache_ttl_s",     AS(count,      count),     CALL(cache.ttl_s),      0,            0           },
	{"cache_stale_s",   AS(count,      count),     CALL(cache.stale_s),    0,            0           },
	{"cache_namespace", AS(label,      text),      CALL(cache.name_space), 0,            0           },
};

static enum err settle_op(const struct reader *r, const struct at *at, struct call *call)
{
	const struct at op = at_member(at, SPAN("op"));
	if (call->kind != CALL_TYPED)
		return OK;
	if (!llm_op_from(call->admin_op, &call->op))
		return reader_refuse(r, &op, ERR_UNSUPPORTED,
			"this broker knows no operation \"%.*s\"", SPAN_ARG(call->admin_op));
	call->admin_op = SPAN_NONE;
	return OK;
}

enum err call_unpack(struct pack_in in, struct arena *a, struct call *out, struct fault *why)
{
	struct reader r = {.a = a, .why = why, .bad = ERR_INVALID_REQUEST};
	const struct at top = {.up = NULL};
	uint64_t seen = 0;

	*out = CALL_INIT;
	enum err err = members_read(&r, &top, &in, call_rows, COUNT_OF(call_rows), out, &seen);
	if (err)
		return err;
	if (!(seen & 1))
		return members_check(&r, &top, call_rows, 1, seen, 0, "a call", "");
	err = members_check(&r, &top, call_rows, COUNT_OF(call_rows), seen, out->kind,
		"a call of kind ", kinds[out->kind]);
	if (err)
		return err;
	if (span_is_set(out->body) && out->body_bytes >= 0) {
		const struct at here = at_member(&top, SPAN("body_bytes"));
		return reader_refuse(&r, &here, r.bad,
			"the body is here already, and cannot come in data frames too");
	}
	if ((KIND(out->kind) & BY_SURFACE) &&
		span_is_set(out->surface.provider) != (out->kind == CALL_NATIVE)) {
		const struct at here = at_member(&top, SPAN("surface"));
		return reader_refuse(
			&r, &here, r.bad, "a relay names a surface, a native call a provider");
	}
	return settle_op(&r, &top, out);
}

void call_pack(const struct call *c, struct buf *out)
{
	members_write(out, call_rows, COUNT_OF(call_rows), c);
}

/* ---- data, credit, goaway, cancel ---- */

static READER(member_read_piece)
{
	const struct span *piece = field;
	const enum err err = member_read_bytes(r, at, in, field);
	if (!err && piece->n > LIMIT_DATA_BYTES)
		return reader_refuse(r, at, ERR_TOO_BIG, "%zu bytes; the limit is %zu", piece->n,
			LIMIT_DATA_BYTES);
	return err;
}

#define DATA(field) offsetof(struct data, field)
static const struct member data_rows[] = {
	{"d",    AS(piece, required_bytes), DATA(bytes),   0, 1},
	{"last", AS(bool,  bool),           DATA(is_last), 0, 0},
};

enum err data_unpack(struct pack_in in, struct data *out, struct fault *why)
{
	struct reader r = {.why = why, .bad = ERR_MALFORMED};
	const struct at top = {.up = NULL};
	*out = (struct data){.is_last = false};
	return members_read(&r, &top, &in, data_rows, COUNT_OF(data_rows), out, NULL);
}

void data_pack(const struct data *d, struct buf *out)
{
	members_write(out, data_rows, COUNT_OF(data_rows), d);
}

static READER(member_read_grant)
{
	const int64_t *bytes = field;
	const enum err err = read_up_to(r, at, in, LIMIT_CREDIT_MAX_BYTES, field);
	if (!err && *bytes == 0)
		return reader_refuse(r, at, r->bad, "a credit of nothing");
	return err;
}

static const struct member credit_rows[] = {
	{"bytes", AS(grant, i64), 0, 0, 1},
};

enum err credit_unpack(struct pack_in in, int64_t *bytes, struct fault *why)
{
	struct reader r = {.why = why, .bad = ERR_MALFORMED};
	const struct at top = {.up = NULL};
	*bytes = 0;
	return members_read(&r, &top, &in, credit_rows, COUNT_OF(credit_rows), bytes, NULL);
}

void credit_pack(int64_t bytes, struct buf *out)
{
	members_write(out, credit_rows, COUNT_OF(credit_rows), &bytes);
}

#define GOAWAY(field) offsetof(struct goaway, field)
static const struct member goaway_rows[] = {
	{"reason",   AS(text,  text),  GOAWAY(reason),   0, 0},
	{"grace_ms", AS(count, count), GOAWAY(grace_ms), 0, 0},
};

enum err goaway_unpack(struct pack_in in, struct goaway *out, struct fault *why)
{
	struct reader r = {.why = why, .bad = ERR_MALFORMED};
	const struct at top = {.up = NULL};
	*out = (struct goaway){.grace_ms = -1};
	return members_read(&r, &top, &in, goaway_rows, COUNT_OF(goaway_rows), out, NULL);
}

void goaway_pack(const struct goaway *g, struct buf *out)
{
	members_write(out, goaway_rows, COUNT_OF(goaway_rows), g);
}

void cancel_pack(struct buf *out)
{
	pack_put_map(out, 0);
}
