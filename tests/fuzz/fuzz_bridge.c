/* fuzz_bridge.c - any bytes as a request's target, method, host and origin, a line each: is it clear what is meant and
 * who may, and is a no always one that its reader can read? */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "libllmclient/bridge/door.h"
#include "libllmclient/bridge/refusal.h"
#include "protocol/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of its own length, so that a reader who goes on is seen. */
static struct span line(struct span *rest, char **copy)
{
	const struct span one = span_cut(rest, '\n');
	*copy = malloc(one.n + 1);
	if (!*copy)
		abort();
	if (one.n > 0)
		memcpy(*copy, one.p, one.n);
	return span_of(*copy, one.n);
}

static void is_inside(struct span part, struct span all)
{
	assert(part.n == 0 || (part.p >= all.p && part.p + part.n <= all.p + all.n));
}

static void check_place(const struct place *p, struct span target)
{
	assert(p->methods && p->before && span_is_set(p->query));
	is_inside(p->query, target);
	switch (p->kind) {
	case PLACE_SURFACE:
		assert(p->surface && p->methods[0] && p->path.n > 1 && p->path.p[0] == '/');
		break;
	case PLACE_NATIVE:
		assert(p->provider.n > 0 && span_index(p->provider, '/') == p->provider.n);
		assert(p->path.n > 0 && p->path.p[0] == '/');
		assert(!place_takes(p, SPAN("CONNECT")));
		break;
	case PLACE_HEALTH:
	case PLACE_NOWHERE:
		assert(!p->surface);
		break;
	}
}

/* What it has found is found again by the path that the broker is told. */
static void again(const struct place *p)
{
	OWNED(buf_done) struct buf target = BUF_INIT(SIZE_MAX / 2);
	OWNED(buf_done) struct buf told = BUF_INIT(SIZE_MAX / 2);
	struct place other;
	if (p->kind != PLACE_SURFACE)
		return;
	buf_text(&target, p->before);
	buf_span(&target, p->path);
	place_find(buf_view(&target), &other);
	assert(other.kind == PLACE_SURFACE && strcmp(other.surface, p->surface) == 0);
	buf_text(&told, other.before);
	buf_span(&told, other.path);
	assert(span_eq(buf_view(&told), buf_view(&target)));
	assert(other.envelope == p->envelope);
}

static void refuse(const struct place *p, const struct fault *why, struct span message)
{
	OWNED(buf_done) struct buf to = BUF_INIT(1 << 16);
	struct json v;
	const int status = refusal_write(
		p->envelope, why->err ? why->err : ERR_INVALID_REQUEST, 0, message, &to);
	assert(status >= 400 && status < 600);
	const enum err err = json_scan(buf_view(&to), JSON_STRICT, &v, NULL);
	assert(!err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const origins[] = {"https://app.test"}, *const hosts[] = {"box.lan"};
	const struct door door = {origins, 1, hosts, 1};
	struct fault why = FAULT_NONE, other = FAULT_NONE;
	struct span rest = span_of((const char *)data, size);
	struct place p;
	char *copies[4];
	const struct span target = line(&rest, &copies[0]), method = line(&rest, &copies[1]),
			  host = line(&rest, &copies[2]), origin = line(&rest, &copies[3]);
	place_find(target, &p);
	check_place(&p, target);
	again(&p);
	(void)place_takes(&p, method);
	const enum err by_host = door_host(&door, host, &why);
	const enum err by_page = door_origin(&door, origin, &other);
	const enum err by_site = door_site(method, NULL);
	assert(by_host == why.err && by_page == other.err);
	assert(!by_site || by_site == ERR_DENIED);
	refuse(&p, &why, span_str(why.message));
	refuse(&p, &other, span_str(other.message));
	refuse(&p, &why, span_first(target, 1000));
	for (size_t i = 0; i < COUNT_OF(copies); i++)
		free(copies[i]);
	return 0;
}
