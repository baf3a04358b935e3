/* media.h - how are images, documents, audio and video said in this family? */
#ifndef BROKERD_DIALECT_BEDROCK_MEDIA_H
#define BROKERD_DIALECT_BEDROCK_MEDIA_H
#include "brokerd/dialect/bedrock/bedrock.h"

/* The names that documents have so far: each is to be the only one of its name. */
struct document_names {
	struct span *list;
	size_t n;
};

/* One block with its members and extras, for a part that is a medium. */
enum err bedrock_put_media(struct scribe *s, const struct part *p, const char *path,
	struct document_names *names) MUST_USE;

/* The MIME type that stands for a format of a block of that kind ("image", "document", ...), or of
 * the kind in general where there is no such format. */
struct span bedrock_mime_of(const char *kind, struct span format, struct arena *a);

/* The names that are written in blocks of any kind, for scribe_extra. */
#define BEDROCK_KNOWN_IN_BLOCK                                                               \
	" text image document video audio toolUse toolResult reasoningContent cachePoint "   \
	"citationsContent searchResult image. document. video. audio. toolUse. cachePoint. " \
	"citationsContent. "

#endif
