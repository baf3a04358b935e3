/* fuzz_csv.c - any bytes as an export, whole and in pieces. */
#include <assert.h>
#include <stdint.h>

#include "libllmclient/cli/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err read_in_pieces(
	struct span text, size_t piece, struct statement *to, struct fault *why)
{
	struct export_map map = {.mark = AMOUNT_MARK_ANY};
	OWNED(export_done) struct export e;
	export_init(&e, &map, &(struct export_days){INT64_MIN, INT64_MAX}, to);
	enum err err = export_map_read(&e.map, SPAN("day=d,model=m,cost=c"), why);
	for (size_t i = 0; !err && i < text.n; i += piece)
		err = export_feed(&e, span_first(span_skip(text, i), piece), why);
	return err ? err : export_end(&e, why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(statement_done) struct statement whole, pieces;
	struct fault why = FAULT_NONE, other = FAULT_NONE;
	const struct span text = span_of((const char *)data, size);
	statement_init(&whole);
	statement_init(&pieces);
	const enum err err = read_in_pieces(text, size + 1, &whole, &why);
	const enum err again = read_in_pieces(text, 3, &pieces, &other);
	assert(err == again && strcmp(why.message, other.message) == 0);
	assert(!err || why.message[0] != '\0');
	assert(whole.n == pieces.n);
	for (size_t i = 0; i < whole.n; i++)
		assert(whole.rows[i].nusd == pieces.rows[i].nusd &&
			whole.rows[i].day == pieces.rows[i].day && whole.rows[i].has_cost);
	return 0;
}
