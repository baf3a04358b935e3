/* list.c - the latest file first, and each from its end, until enough is found. */
#include "brokerd/audit/list.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/audit/line.h"
#include "protocol/base/json.h"
#include "protocol/limits.h"

#define TEXT_BYTES (8 * MIB) /* of the records of one answer */

/* The records found so far, the newest first. */
struct found {
	struct audit_list *list;
	struct buf text;
	size_t ends[LIST_RECORDS_MAX]; /* of each, in the text */
};

/* A word, or the beginning of one before a dot. */
static bool is_wanted_what(struct span what, struct json value)
{
	if (json_kind(value) != JSON_STRING || value.text.n < 2)
		return false;
	const struct span word = span_of(value.text.p + 1, value.text.n - 2);
	return what.n == 0 ||
	       (span_starts(word, what) && (word.n == what.n || word.p[what.n] == '.'));
}

static bool is_wanted(struct audit_list *q, struct span line)
{
	struct json record;
	int64_t at_us;
	const struct json_rules rules = {.max_depth = 4};
	if (line.n > LINE_BYTES || json_scan(line, rules, &record, NULL) != OK ||
		!json_i64(json_member(record, "at_us"), &at_us)) {
		q->unreadable++;
		return false;
	}
	return at_us >= q->since_us && is_wanted_what(q->what, json_member(record, "what"));
}

/* False: that is enough. */
static bool take(struct found *f, struct span line)
{
	struct audit_list *q = f->list;
	if (line.n == 0 || !is_wanted(q, line))
		return true;
	if (q->n == q->limit || f->text.n + line.n > TEXT_BYTES) {
		q->has_more = true;
		return false;
	}
	buf_span(&f->text, line);
	f->ends[q->n++] = f->text.n;
	return true;
}

/* The lines of a file from its end. False: that is enough. */
static bool take_file(struct found *f, struct span bytes)
{
	while (bytes.n > 0) {
		const char *before = memrchr(bytes.p, '\n', bytes.n - 1);
		const size_t from = before ? (size_t)(before - bytes.p) + 1 : 0;
		struct span line = span_skip(bytes, from);
		if (line.p[line.n - 1] == '\n')
			line.n--;
		if (!take(f, line))
			return false;
		bytes.n = from;
	}
	return true;
}

static int read_all(struct found *f, int folder)
{
	char name[FILES_NAME_BYTES];
	struct files files;
	bool wants_more = true;
	if (!files_list(folder, &files))
		return errno;
	for (size_t i = files.n + 1; i > 0 && wants_more; i--) {
		OWNED(buf_done) struct buf bytes = BUF_INIT(FILES_READ_BYTES);
		const uint64_t number = i > files.n ? 0 : files.numbers[i - 1];
		const int cause = files_read(folder, files_name(name, number), &bytes);
		if (cause == ENOENT)
			continue;
		if (cause)
			return cause;
		wants_more = take_file(f, buf_view(&bytes));
	}
	return 0;
}

static void write_found(const struct found *f)
{
	struct json_out o = json_to(f->list->to);
	json_open(&o, '[');
	for (size_t i = f->list->n; i > 0; i--) {
		const size_t from = i > 1 ? f->ends[i - 2] : 0;
		json_put_raw(&o, span_of(f->text.p + from, f->ends[i - 1] - from));
	}
	json_close(&o, ']');
}

void audit_list(struct audit_list *q)
{
	struct found *f = calloc(1, sizeof *f);
	q->n = q->unreadable = 0;
	q->has_more = false;
	const int folder = f ? files_folder(q->state_dir) : -1;
	if (folder < 0) {
		q->cause = f ? errno : ENOMEM;
		free(f);
		return;
	}
	f->list = q;
	buf_init(&f->text, TEXT_BYTES + LINE_BYTES);
	q->cause = read_all(f, folder);
	if (!q->cause)
		write_found(f);
	close(folder);
	buf_done(&f->text);
	free(f);
}
