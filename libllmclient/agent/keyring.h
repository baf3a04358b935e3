/* keyring.h - how does the desktop's login open the vault?
 * The vault has a slot for an agent, whose code lies in the Secret Service (GNOME Keyring, KWallet, KeePassXC), which
 * is open while its user is logged in. By secret-tool. */
#ifndef LIBLLMCLIENT_AGENT_KEYRING_H
#define LIBLLMCLIENT_AGENT_KEYRING_H
#include "llmclient.h"

/* Adds the slot and keeps its code, in the place of a former one. Returns the exit status; what failed was told. */
int keyring_enroll(llm_client *c);

/* Opens a locked vault, where there is a code. What is not there is no failure. */
void keyring_unlock(llm_client *c);

#endif
