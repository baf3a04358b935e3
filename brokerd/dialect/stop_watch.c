/* stop_watch.c - a search that goes on over the seams between pieces. */
#include "brokerd/dialect/stop_watch.h"

#include "brokerd/dialect/scribe.h"
#include "protocol/limits.h"

#define STOPS_MAX      ((size_t)32)
#define STOP_BYTES_MAX ((size_t)512)

void stop_watch_init(struct stop_watch *w, const struct span *stops, size_t n)
{
	*w = (struct stop_watch){stops, n, BUF_INIT(LIMIT_SSE_TOTAL_BYTES), 0};
}

void stop_watch_done(struct stop_watch *w)
{
	buf_done(&w->text);
}

/* The sequence that ends first in the text, the longer of two; its end in *end. */
static const struct span *find_first(const struct stop_watch *w, struct span text, size_t *end)
{
	const struct span *found = NULL;
	for (size_t i = 0; i < w->n; i++) {
		const struct span *stop = &w->stops[i];
		const size_t at = span_find(text, *stop);
		if (at == text.n)
			continue;
		if (!found || at + stop->n < *end || (at + stop->n == *end && stop->n > found->n)) {
			found = stop;
			*end = at + stop->n;
		}
	}
	return found;
}

/* How many bytes at the end of the text are the beginning of a sequence. */
static size_t unsure_bytes(const struct stop_watch *w, struct span text)
{
	size_t longest = 0;
	for (size_t i = 0; i < w->n; i++) {
		size_t n = w->stops[i].n - 1 < text.n ? w->stops[i].n - 1 : text.n;
		while (n > longest && !span_ends(text, span_first(w->stops[i], n)))
			n--;
		longest = n > longest ? n : longest;
	}
	return longest;
}

const struct span *stop_watch_add(struct stop_watch *w, struct span piece, struct span *out)
{
	size_t end = 0;
	buf_drop(&w->text, w->given);
	w->given = 0;
	buf_span(&w->text, piece);
	const struct span text = buf_view(&w->text);
	const struct span *found = find_first(w, text, &end);
	w->given = text.n;
	*out = span_first(text, found ? end - found->n : text.n - unsure_bytes(w, text));
	if (!found)
		w->given = out->n;
	return found;
}

struct span stop_watch_rest(struct stop_watch *w)
{
	const struct span rest = span_skip(buf_view(&w->text), w->given);
	w->given = w->text.n;
	return rest;
}

enum err stop_watch_plan(struct scribe *s)
{
	const struct llm_request *r = s->r;
	struct notes *notes = s->notes;
	if (r->n_stop == 0)
		return OK;
	if (r->n_stop > STOPS_MAX)
		return scribe_refuse(s, "stop",
			"%.*s takes no stop sequences, and the broker watches for %zu at most",
			SPAN_ARG(s->target->provider), STOPS_MAX);
	notes->stops = arena_array(notes->arena, r->n_stop, sizeof *notes->stops);
	notes->n_stops = 0;
	if (!notes->stops)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < r->n_stop; i++) {
		bool is_new = true;
		if (r->stop[i].n == 0 || r->stop[i].n > STOP_BYTES_MAX)
			return scribe_refuse(s, "stop",
				"%.*s takes no stop sequences, and the broker watches for those of "
				"1 to %zu bytes",
				SPAN_ARG(s->target->provider), STOP_BYTES_MAX);
		for (size_t j = 0; j < notes->n_stops; j++)
			is_new = is_new && !span_eq(notes->stops[j], r->stop[i]);
		if (is_new && arena_dup(notes->arena, r->stop[i], &notes->stops[notes->n_stops++]))
			return ERR_NO_MEMORY;
	}
	return scribe_change(s, "emulated", "stop",
		"%.*s takes no stop sequences: the broker cuts the answer at the first, and what "
		"was billed for it may stay unknown",
		SPAN_ARG(s->target->provider));
}
