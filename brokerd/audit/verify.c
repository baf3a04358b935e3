/* verify.c - the oldest file first, each as a whole. */
#include "brokerd/audit/verify.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "brokerd/value/guarded.h"

struct walk {
	struct audit_verify *verify;
	int folder;
	struct files files;
	struct buf bytes; /* of the file that is looked at */
};

/* The current file comes last. */
static uint64_t number_at(const struct walk *w, size_t i)
{
	return i < w->files.n ? w->files.numbers[i] : 0;
}

/* False: there is no such file, or it cannot be read. */
static bool load(struct walk *w, size_t i, char name[FILES_NAME_BYTES], int *cause)
{
	buf_done(&w->bytes);
	*cause = files_read(w->folder, files_name(name, number_at(w, i)), &w->bytes);
	return *cause == 0;
}

/* Records are not where they should be: are they gone, or elsewhere? */
static enum check_flaw look_ahead(struct walk *w, size_t i, size_t good, uint64_t wanted)
{
	char name[FILES_NAME_BYTES];
	int cause;
	if (check_has_seq(span_skip(buf_view(&w->bytes), good), wanted))
		return CHECK_REORDERED;
	for (i++; i <= w->files.n; i++) {
		if (load(w, i, name, &cause) && check_has_seq(buf_view(&w->bytes), wanted))
			return CHECK_REORDERED;
	}
	return CHECK_MISSING;
}

static enum check_flaw verify_file(struct walk *w, size_t i)
{
	struct audit_verify *v = w->verify;
	size_t good = 0;
	int cause;
	v->line = 0;
	if (!load(w, i, v->file, &cause))
		return cause == ENOENT && i == w->files.n ? CHECK_WHOLE : CHECK_UNREADABLE;
	v->n_files++;
	check_file(&v->check);
	const enum check_flaw flaw = check_bytes(&v->check, buf_view(&w->bytes), &v->line, &good);
	return flaw == CHECK_MISSING ? look_ahead(w, i, good, v->check.chain.seq + 1) : flaw;
}

/* Are all files there that must be, and is the first record what it must be, where none may be gone? */
static enum check_flaw verify_begin(struct walk *w)
{
	struct audit_verify *v = w->verify;
	const uint64_t expected = files_expected(&w->files, &v->limits);
	size_t i = 0;
	while (i < w->files.n && w->files.numbers[i] < expected)
		i++;
	for (uint64_t number = expected; i < w->files.n; i++, number++) {
		if (w->files.numbers[i] == number)
			continue;
		(void)files_name(v->file, number);
		return CHECK_MISSING;
	}
	return CHECK_WHOLE;
}

static enum check_flaw verify_all(struct walk *w)
{
	struct audit_verify *v = w->verify;
	enum check_flaw flaw = verify_begin(w);
	for (size_t i = 0; i <= w->files.n && !flaw; i++) {
		flaw = verify_file(w, i);
		/* nothing was ever thrown away, so the first record is there */
		const bool is_all = number_at(w, 0) <= 1;
		if (i == 0 && is_all && v->check.is_begun && v->check.first_seq != 1) {
			v->line = 1;
			flaw = CHECK_MISSING;
		}
	}
	return flaw;
}

enum err audit_verify_key(struct audit_verify *v, const unsigned char root[CHAIN_KEY_BYTES])
{
	return guarded_copy(span_of((const char *)root, CHAIN_KEY_BYTES), &v->root);
}

void audit_verify(struct audit_verify *v)
{
	struct walk w = {.verify = v, .bytes = BUF_INIT(FILES_READ_BYTES)};
	v->check = (struct check){.sought = v->has_sought ? v->sought : NULL};
	v->n_files = 0;
	(void)files_name(v->file, 0);
	w.folder = files_folder(v->state_dir);
	if (w.folder < 0 || !files_list(w.folder, &w.files)) {
		v->flaw = CHECK_UNREADABLE;
	} else {
		if (v->root)
			v->check.root = (const unsigned char *)guarded_read(v->root).p;
		v->flaw = verify_all(&w);
	}
	guarded_free(TAKE(v->root));
	v->check.root = NULL;
	check_done(&v->check);
	buf_done(&w.bytes);
	if (w.folder >= 0)
		close(w.folder);
}
