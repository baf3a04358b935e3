/* record.h - what is written down of an exchange and of an attempt?
 * Plain values of bounded size, as they lie in the journal and become rows. Texts are NUL-terminated
 * and cut to fit (fault_text does that). Pure functions of bytes: no clock, no I/O. */
#ifndef BROKERD_LEDGER_RECORD_H
#define BROKERD_LEDGER_RECORD_H
#include "brokerd/value/target.h"
#include "protocol/event.h"

/* The words in the ledger are the lower-case names. */
enum outcome {
	OUTCOME_OK = 1,
	OUTCOME_FAILED,    /* a fault, and the provider did not serve it, or said so */
	OUTCOME_CANCELLED, /* the caller stopped it or went away */
	OUTCOME_UNKNOWN,   /* it cannot be known whether it was served: billed as reserved */
};
const char *outcome_name(enum outcome o);

#define REQUEST_ID_BYTES 32 /* "req_" and 26 characters, with the NUL */

/* On whose account an exchange is, beside the names below. Texts: "" not known, or none. */
struct account_record {
	char kind[16];      /* of its caller: peer_kind_name */
	char unit[64];      /* of a service manager's, that its caller ran in */
	char container[64]; /* the same of a container engine's */
	char project[128];  /* the repository that its caller worked in */
	char policy[64];    /* the rule that let it in */
	char key_label[64]; /* of the key in use; "" the default one */
	char tier[24];      /* of service, as asked */
	char via[64];       /* who had the connection and asked on its behalf; "" it asked itself */
};

struct reserve_record {
	char id[REQUEST_ID_BYTES]; /* of the exchange */
	uint32_t number;           /* of the attempt that it is for, from 1 */
	uint32_t beside;           /* of the one that is still under way then; 0: none is */
	int64_t at_us;             /* wall clock */
	uint32_t uid, pid;
	char app[64], program[64];
	char op[16], surface[32];
	char model[128];                         /* as asked */
	char provider[64], target_model[128];    /* where it is about to go */
	int64_t estimate_input, estimate_output; /* tokens, at the most */
	int64_t estimate_nusd;                   /* of these; -1: price unknown */
	struct account_record account;
};

struct attempt_record {
	char id[REQUEST_ID_BYTES]; /* of its exchange */
	uint32_t number;           /* from 1 */
	int64_t at_us;
	int64_t begun_us; /* the same on the loop's clock, by which things have their order; no row has it */
	char provider[64], model[128], key_label[64];
	enum outcome outcome;
	enum err err;
	int http_status;
	char provider_request_id[64];
	bool has_sent_body;
	int64_t sent_bytes, received_bytes;
	int64_t connect_us, first_byte_us, total_us;
	struct llm_usage usage;
	struct price price;   /* the one used, so that a row explains itself */
	int64_t charged_nusd; /* what budgets counted of it; -1: not known */
	int64_t estimate_input,
		estimate_output; /* tokens, as expected before it was sent; -1: not known */
	int64_t estimate_raw; /* estimate_input before it was corrected; -1: it teaches nothing */
};

struct exchange_record {
	char id[REQUEST_ID_BYTES];
	int64_t at_us, total_us, ttft_us;
	uint32_t uid, pid;
	char app[64], program[64];
	char op[16], surface[32];
	char model[128];
	char provider[64], target_model[128]; /* who answered; "" nobody */
	enum outcome outcome;
	enum err err;
	char finish[24];
	bool is_stream;
	uint32_t attempts, warnings;
	struct llm_usage usage;
	struct price price;
	struct account_record account;
	int64_t queued_us; /* that it waited for its turn; -1: not known */
	int64_t estimate_input,
		estimate_output; /* tokens, as expected at admission; -1: not known */
	char cache[16];          /* cache_source_name: no provider gave its answer; "" one did */
	int64_t saved_nusd; /* that it would have cost then; -1: not known, or nothing was saved */
};

/* What has to be known of an attempt that has not ended. */
struct under_way_record {
	uint32_t number; /* 0: there is none */
	char provider[64], target_model[128], key_label[64];
	int64_t estimate_input, estimate_output, estimate_nusd; /* as in struct reserve_record */
};

/* What the journal keeps of an exchange that has not ended. */
struct open_record {
	struct reserve_record reserve;
	uint32_t attempts;  /* the last number recorded so far */
	uint32_t announced; /* the number of the one under way that began last; 0: it has ended */
	struct llm_usage usage;         /* as those recorded reported it, added up */
	struct under_way_record beside; /* beside which that one began */
};

/* Another attempt is announced: *r takes the place of what was said of the one before, which is the one beside it from now
 * on, where *r says that it is under way; else it never was, or has ended. */
void open_record_announce(struct open_record *o, const struct reserve_record *r);
/* The one that began last. */
struct under_way_record open_record_last(const struct open_record *o);

/* An attempt of that exchange has ended: it is counted, and what it used added. Where a provider says what it cost, the
 * provider's cost of all is what is known of each: theirs, else ours. */
void open_record_count(struct open_record *o, const struct attempt_record *a);

/* ---- as fields: in the order of the journal's bytes, by the names of the ledger's columns ---- */

enum field_kind {
	FIELD_TEXT,    /* char[size] */
	FIELD_NUMBER,  /* int64_t; -1: not known */
	FIELD_COUNT,   /* uint32_t */
	FIELD_STATUS,  /* int, 0 or more; 0: none */
	FIELD_OUTCOME, /* enum outcome */
	FIELD_ERR,     /* enum err */
	FIELD_FLAG,    /* bool */
};
struct field {
	const char *name;
	enum field_kind kind;
	size_t offset, size; /* in its struct */
};
/* A version adds fields behind those of the one before: what that wrote is the beginning of what we write. */
struct shape {
	const struct field *fields;
	size_t n_fields;
	const size_t *n_fields_of; /* of version 1, 2, ... of this type of record */
	unsigned version;          /* the one that is written, and the last that is known */
};
extern const struct shape open_shape, attempt_shape, exchange_shape;

/* The value of any field but a text. */
int64_t field_number(const struct field *f, const void *record);

/* ---- as bytes ----
 * All numbers are little-endian. A frame starts at a multiple of 8:
 *   u32 length   of what follows the sum, without the padding
 *   u32 crc      CRC-32C of the length and of what follows the sum
 *   u64 sequence one more than that of the frame before it
 *   u8  type     enum record_type
 *   u8  version  of that type's fields
 *   fields       a text: u8 length, bytes; a number: u8 n (0..8), n bytes, n as small as it can be,
 *                but not known is n = 0, and zero is n = 1
 *   padding      zeroes, to a multiple of 8
 * A word of zeroes where a frame would start is the end. */
enum record_type {
	RECORD_OPEN = 1,     /* struct open_record */
	RECORD_ATTEMPT = 2,  /* struct attempt_record */
	RECORD_EXCHANGE = 3, /* struct exchange_record */
};

/* The longest frames; what is set aside for a reservation is counted in them. */
#define RECORD_OPEN_BYTES     1496
#define RECORD_ATTEMPT_BYTES  688
#define RECORD_EXCHANGE_BYTES 1376
#define RECORD_BYTES          RECORD_OPEN_BYTES

/* Writes a frame to `to`, of RECORD_BYTES; returns its length with the padding. */
size_t record_pack(enum record_type type, const void *record, uint64_t sequence, unsigned char *to);

/* An exchange's that is written over and over: what was packed of the one before, from which the next differs in its id and its
 * at_us alone. Zeroed: there was none. */
struct record_form {
	unsigned char frame[RECORD_EXCHANGE_BYTES];
	size_t n, head_bytes; /* of all, and of those two members */
};
/* The same as record_pack. */
size_t record_pack_like(struct record_form *form, const struct exchange_record *r,
	uint64_t sequence, unsigned char *to);

struct record {
	enum record_type type; /* as written: maybe a newer version's */
	unsigned version;
	uint64_t sequence;
	struct span fields;
};

enum record_next {
	RECORD_FOUND,
	RECORD_END,  /* nothing, or a frame of a former round */
	RECORD_TORN, /* bytes that are no whole frame */
};
struct record_reader {
	struct span left;  /* starts at a frame */
	uint64_t sequence; /* of the frame that was read last; 0: none yet */
};
enum record_next record_next(struct record_reader *r, struct record *out);

/* Is there a whole frame further on, later than the last one read? Then bytes in between were
 * damaged, which a write that was cut short does not do. */
bool record_is_damaged(const struct record_reader *r);

union record_value {
	struct open_record open;
	struct attempt_record attempt;
	struct exchange_record exchange;
};
/* Reads the fields of a frame, of any version up to ours: what a former one did not write is not known.
 * ERR_VERSION: a type or a version that is not ours. ERR_MALFORMED. */
enum err record_unpack(const struct record *r, union record_value *out, struct fault *why) MUST_USE;
/* The same of an exchange's that is like `before` but for its id and its at_us, where *out is what that was read as: only these
 * are read. False: it is not, and *out as it was. */
bool record_unpack_like(
	const struct record *r, const struct record *before, union record_value *out);

#endif
