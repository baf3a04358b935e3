/* fold.c - three tables, each coarser than the one before; the first that has room takes the event. */
#include "brokerd/audit/fold.h"

#include "protocol/base/table.h"

/* What callers were allowed: beyond that it is folded too, or one who may lock a vault could do so until
 * nothing older is left. */
#define ALLOWED_BURST     256
#define ALLOWED_REFILL_US INT64_C(5000000)

#define FIRST_US   INT64_C(60000000)
#define LONGEST_US INT64_C(3600000000)

#define SUBJECT_BYTES 128
#define DETAIL_BYTES  128

enum grain {
	BY_EVENT, /* one caller and one subject */
	BY_UID,
	BY_WORD,
	GRAINS,
};

/* How many there are at once, and how many new ones may come: so many, and one more each so often. */
static const struct {
	size_t first, n;
	int64_t burst, refill_us;
} grains[GRAINS] = {
	[BY_EVENT] = {0,  48, 32, 30000000},
	[BY_UID] = {48, 12, 8,  60000000},
	[BY_WORD] = {60, 20, 20, 60000000},
};
#define SLOTS 80

struct slot {
	uint64_t count; /* since the last record */
	int64_t since_us, at_us, window_us;
	const char *what;
	enum audit_verdict verdict;
	enum err err;
	bool has_who;
	struct peer_id who;
	char subject[SUBJECT_BYTES], detail[DETAIL_BYTES];
};

struct bucket {
	int64_t spent, filled_us;
};

struct folds {
	uint64_t keys[SLOTS]; /* 0: the slot is free */
	int64_t due_us[SLOTS];
	struct slot slots[SLOTS];
	struct bucket buckets[GRAINS], allowed;
	struct slot said; /* the one that was handed out */
};

struct folds *folds_new(void)
{
	return calloc(1, sizeof(struct folds));
}

void folds_free(struct folds *f)
{
	free(f);
}

static uint64_t mix(uint64_t key, const void *bytes, size_t n)
{
	return (key << 7 | key >> 57) ^ table_hash(bytes, n);
}

static uint64_t mix_text(uint64_t key, const char *text)
{
	return mix(key, text, strlen(text) + 1);
}

static uint64_t hash_of(const struct audit_event *e, enum grain grain)
{
	const struct peer_id *p = e->who;
	uint64_t key = mix_text((uint64_t)e->verdict + 1, e->what);
	if (grain == BY_WORD)
		return key;
	key = mix(key, &(int64_t){p ? (int64_t)p->uid : -1}, sizeof(int64_t));
	if (grain == BY_UID)
		return key;
	key = mix(key, &(int64_t){e->err}, sizeof(int64_t));
	key = mix(key, e->subject.p ? e->subject.p : "", e->subject.n);
	if (!p)
		return key;
	const int64_t kind[] = {p->kind, p->socket, p->is_claim};
	key = mix(key, kind, sizeof kind);
	return mix_text(mix_text(key, p->name), p->profile);
}

static uint64_t key_of(const struct audit_event *e, enum grain grain)
{
	const uint64_t key = hash_of(e, grain);
	return key ? key : 1;
}

/* NULL: it is not among those of the grain. With key 0, a free one. */
static struct slot *find(struct folds *f, enum grain grain, uint64_t key)
{
	for (size_t i = grains[grain].first; i < grains[grain].first + grains[grain].n; i++) {
		if (f->keys[i] == key)
			return &f->slots[i];
	}
	return NULL;
}

static bool take(struct bucket *b, int64_t burst, int64_t refill_us, int64_t now_us)
{
	const int64_t back = (now_us - b->filled_us) / refill_us;
	if (back > 0) {
		b->filled_us += back * refill_us;
		b->spent -= b->spent < back ? b->spent : back;
	}
	if (b->spent >= burst)
		return false;
	b->spent++;
	return true;
}

/* A new slot, if at this grain there is room. */
static bool add(struct folds *f, enum grain grain, uint64_t key, int64_t now_us)
{
	struct slot *s = find(f, grain, 0);
	if (!s || !take(&f->buckets[grain], grains[grain].burst, grains[grain].refill_us, now_us))
		return false;
	*s = (struct slot){.window_us = FIRST_US};
	f->keys[s - f->slots] = key;
	f->due_us[s - f->slots] = now_us + FIRST_US;
	return true;
}

static void count(struct slot *s, const struct audit_event *e, enum grain grain, int64_t at_us)
{
	if (s->count++ == 0)
		s->since_us = at_us;
	s->at_us = at_us;
	s->what = e->what;
	s->verdict = e->verdict;
	s->err = e->err;
	s->has_who = e->who && grain != BY_WORD;
	if (s->has_who && grain == BY_EVENT)
		s->who = *e->who;
	else if (s->has_who)
		s->who = (struct peer_id){
			.uid = e->who->uid, .pid = -1, .confidence = e->who->confidence};
	fault_text(
		s->subject, sizeof s->subject, grain == BY_EVENT ? e->subject : SPAN("(several)"));
	fault_text(s->detail, sizeof s->detail, grain == BY_EVENT ? e->detail : SPAN(""));
}

bool fold_take(struct folds *f, const struct audit_event *e, int64_t at_us, int64_t now_us)
{
	if (e->verdict == AUDIT_ALLOWED &&
		(!e->who || take(&f->allowed, ALLOWED_BURST, ALLOWED_REFILL_US, now_us)))
		return true;
	for (enum grain grain = BY_EVENT; grain < GRAINS; grain++) {
		const uint64_t key = key_of(e, grain);
		struct slot *s = find(f, grain, key);
		if (s) {
			count(s, e, grain, at_us);
			return false;
		}
		if (add(f, grain, key, now_us))
			return true;
	}
	return true; /* there are not so many words */
}

static struct folded hand_out(struct folds *f, struct slot *s)
{
	f->said = *s;
	s->count = 0;
	const struct slot *said = &f->said;
	return (struct folded){
		.event = {.what = said->what,
			  .who = said->has_who ? &said->who : NULL,
			  .verdict = said->verdict,
			  .err = said->err,
			  .subject = span_str(said->subject),
			  .detail = span_str(said->detail)},
		.fold = {.count = said->count,   .since_us = said->since_us      },
		.at_us = said->at_us,
	};
}

bool fold_next(struct folds *f, int64_t now_us, struct folded *out)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &f->slots[i];
		if (f->keys[i] == 0 || f->due_us[i] > now_us)
			continue;
		if (s->count == 0) {
			f->keys[i] = 0; /* it has been quiet: what comes is said at once again */
			continue;
		}
		s->window_us = s->window_us < LONGEST_US / 2 ? 2 * s->window_us : LONGEST_US;
		f->due_us[i] += s->window_us;
		*out = hand_out(f, s);
		return true;
	}
	return false;
}

int64_t fold_due_us(const struct folds *f)
{
	int64_t due_us = FOLD_NEVER;
	for (size_t i = 0; i < SLOTS; i++) {
		if (f->keys[i] != 0 && f->due_us[i] < due_us)
			due_us = f->due_us[i];
	}
	return due_us;
}
