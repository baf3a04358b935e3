/* limits.h - how much may a peer send? Every ceiling on foreign bytes, in one table. */
#ifndef PROTOCOL_LIMITS_H
#define PROTOCOL_LIMITS_H

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)

/* the wire between a client and the broker */
#define LIMIT_FRAME_BYTES      (256 * KIB)      /* one frame, its length prefix not counted */
#define LIMIT_DATA_BYTES       (64 * KIB)       /* the bytes of one data frame */
#define LIMIT_INLINE_BYTES     (128 * KIB)      /* a body that comes inside its call frame */
#define LIMIT_BODY_BYTES       (64 * MIB)       /* a whole request body, or a whole reply */
#define LIMIT_PACK_DEPTH       16               /* msgpack containers inside one another */
#define LIMIT_PACK_NODES       65536            /* msgpack values in one frame or request body */
#define LIMIT_HELLO_US         INT64_C(5000000) /* a connection that has not said hello by then */
#define LIMIT_CALLS            256              /* calls open on one connection */
#define LIMIT_CREDIT_BYTES     (256 * KIB)      /* what either side may send of a call unasked */
#define LIMIT_CREDIT_MAX_BYTES (64 * MIB)       /* credit that can be outstanding at once */
#define LIMIT_LABEL_BYTES      ((size_t)128)    /* an app's name for itself, a model name, a tag */
#define LIMIT_FEATURES         ((size_t)64)     /* names in a list of a hello or a welcome */
#define LIMIT_TAGS             ((size_t)32)     /* tags of one call */
#define LIMIT_FALLBACKS        ((size_t)16)     /* models named by one call, besides its own */

/* a request, once unpacked */
#define LIMIT_MESSAGES      ((size_t)100000)
#define LIMIT_TOOLS         ((size_t)4096)
#define LIMIT_REQUEST_ARENA (192 * MIB) /* everything that one request makes us hold */

/* what a provider sends */
#define LIMIT_SSE_LINE_BYTES      (32 * MIB)
#define LIMIT_SSE_TOTAL_BYTES     (64 * MIB) /* a whole stream of any kind */
#define LIMIT_EVENT_MESSAGE_BYTES (24 * MIB) /* a message of an AWS event stream */
#define LIMIT_REPLY_BYTES         (32 * MIB) /* a whole reply, not streamed */
#define LIMIT_ERROR_REPLY_BYTES   (64 * KIB) /* of an error reply; the rest is not kept */
#define LIMIT_HEADERS_BYTES       (64 * KIB) /* a reply's headers, kept */
#define LIMIT_CALL_NAME_BYTES     (1 * KIB)  /* a tool call's id, and its name */

/* a flight's log of events */
#define LIMIT_FLIGHT_LOG_BYTES (8 * MIB)   /* beyond it the laggard is a slow consumer */
#define LIMIT_FLIGHT_LAG_BYTES (1 * MIB)   /* beyond it the provider is paused */
#define LIMIT_FLIGHT_LOW_BYTES (256 * KIB) /* below it again it goes on */

/* files */
#define LIMIT_CONFIG_BYTES (1 * MIB)
#define LIMIT_VAULT_BYTES  (1 * MIB)
#define LIMIT_SECRET_BYTES (16 * KIB) /* one provider key */

#endif
