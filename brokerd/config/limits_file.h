/* limits_file.h - where are the limits that are set by hand, and how are they told from those of the configuration? */
#ifndef BROKERD_CONFIG_LIMITS_FILE_H
#define BROKERD_CONFIG_LIMITS_FILE_H

#define LIMITS_FILE    "limits" /* of the state folder */
#define LIMITS_SAID_AT "llmb budget set"
#define LIMITS_BYTES   ((size_t)1024 * 1024)

#endif
