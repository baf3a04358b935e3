/* registry.h - where are the families' tables?
 * For registry.c and the families themselves; all others ask dialect_find. */
#ifndef BROKERD_DIALECT_REGISTRY_H
#define BROKERD_DIALECT_REGISTRY_H

struct dialect;
extern const struct dialect dialect_openai_chat;
extern const struct dialect dialect_openai_responses;
extern const struct dialect dialect_openai_completions;
extern const struct dialect dialect_anthropic;
extern const struct dialect dialect_bedrock;
extern const struct dialect dialect_gemini;
extern const struct dialect dialect_mistral;
extern const struct dialect dialect_cohere;
extern const struct dialect dialect_ollama;
extern const struct dialect dialect_offline;

#endif
