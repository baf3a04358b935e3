/* record.h - what is written down of an exchange and of an attempt?
 * Plain values of bounded size, as they lie in the journal and become rows. Texts are NUL-terminated
 * and cut to fit. */
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

struct reserve_record {
	char id[REQUEST_ID_BYTES]; /* of the exchange */
	int64_t at_us;             /* wall clock */
	uint32_t uid, pid;
	char app[64], program[64];
	char op[16], surface[32];
	char model[128];                         /* as asked */
	char provider[64], target_model[128];    /* where it is about to go */
	int64_t estimate_input, estimate_output; /* tokens */
	int64_t estimate_nusd;                   /* -1: price unknown */
};

struct attempt_record {
	char id[REQUEST_ID_BYTES]; /* of its exchange */
	uint32_t number;           /* from 1 */
	int64_t at_us;
	char provider[64], model[128], key_label[64];
	enum outcome outcome;
	enum err err;
	int http_status;
	char provider_request_id[64];
	bool has_sent_body;
	int64_t sent_bytes, received_bytes;
	int64_t connect_us, first_byte_us, total_us;
	struct llm_usage usage;
	struct price price; /* the one used, so that a row explains itself */
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
};

#endif
