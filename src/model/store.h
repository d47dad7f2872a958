/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What must last: one SQLite file for all radios, the only user of SQLite
 * (design, section 4, Store), and beside it the spool that takes a raw frame
 * when a commit fails. Everything else in this room goes through it. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "key.h"

typedef struct Store Store;

#define STORE_FILE            "store.db" /* in the state directory */
#define STORE_SPOOL_FRAME_MAX 448        /* bytes */
#define STORE_SPOOL_FRAMES    128

/* Opens or makes state_dir/store.db and state_dir/spool. Damage that is found
 * sets the file aside (store.db.damaged-<time>), begins a new one with a new
 * history id and logs it loudly. Returns 0; -EPROTONOSUPPORT when the schema is newer than
 * ours (nothing is touched); -EBUSY when another daemon holds the
 * directory; another negative errno. Logs its failures. */
int store_open(const char *state_dir, Store **ret);
Store *store_close(Store *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_close)

/* 32 hex digits, new whenever a history was set aside. */
const char *store_history_id(const Store *store);

/* After an unclean stop a thread reads the whole file through, while everything else goes on. The descriptor
 * becomes readable when it is done; -EBADF when no check is under way. */
int store_check_fd(const Store *store);

/* Takes the result: 0 when all is well (or no check was under way), -EAGAIN when it is not done yet, -EUCLEAN
 * when damage was found; then the file is set aside by now (identities tell their observers: history_lost).
 */
int store_check_finish(Store *store);

/* Before each pop (design, section 4, Receive): 0 when at least 1 MiB is free and
 * the spool is empty, -ENOSPC, or -EBUSY while the spool holds a frame. */
int store_check_room(Store *store);

/* The spool: 64 KiB, preallocated, overwritten in place, synced. Takes the
 * frame with the identity that popped it, the receive time and nothing else.
 * Returns 0 when it is on the disk, -EMSGSIZE when the frame is longer than STORE_SPOOL_FRAME_MAX, -ENOSPC
 * when the spool is full. */
int store_spool_append(Store *store, const PublicKey *identity, uint64_t timestamp_usec, Slice frame);

/* Calls import for every spooled frame, oldest first; a frame for which it
 * returns 0 is done. Stops at the first negative value and returns it. The spool is
 * emptied when all are done. A frame may be offered again after a crash in
 * between: import must go through the duplicate rule. */
typedef int (*store_spool_import_t)(const PublicKey *identity, uint64_t timestamp_usec, Slice frame,
                                    void *userdata);
int store_spool_import(Store *store, store_spool_import_t import, void *userdata);

/* Begins to write a copy of the store, as of now, to fd (which stays the caller's): a regular file open for
 * writing. A thread does it; the descriptor of store_backup_fd() becomes readable when it is done. -EBUSY
 * when one is being made, -EINVAL for another kind of file, -ENOSPC when the state directory has no room for
 * a second copy. */
int store_backup_start(Store *store, int fd);
int store_backup_fd(const Store *store);
/* Takes the result: 0, -EAGAIN when it is not done yet, another negative errno. */
int store_backup_finish(Store *store);
/* Gives it up. */
void store_backup_stop(Store *store);

/* Reads a file through that a backup wrote. Logs what is wrong with it. */
int store_check_file(const char *path, uint64_t *ret_messages);
/* Puts it in the place of the store in state_dir, which no daemon may be using, under a new history id. The
 * store that was there is kept; *ret_kept is its name, or NULL. Logs its failures. */
int store_restore(const char *state_dir, const char *path, uint64_t *ret_messages, char **ret_kept);

/* The public key that slot id held last, so that its objects are there before
 * the radio is. Returns 0 or -ENOENT. */
int store_get_slot(Store *store, const char *id, PublicKey *ret);
int store_set_slot(Store *store, const char *id, const PublicKey *identity);

typedef void (*store_slot_key_t)(const char *id, const PublicKey *key, void *userdata);
/* Every slot that ever held a key. Returns 0 or a negative errno. */
int store_list_slots(Store *store, store_slot_key_t take, void *userdata);

/* How the modem lines of a serial device have to be set, by an id that tells it again; the words are the
 * caller's. get returns 0 with a new string, or -ENOENT; set forgets with lines NULL, and is -E2BIG when
 * STORE_DEVICES_MAX are known. */
#define STORE_DEVICES_MAX 256
int store_get_lines(Store *store, const char *device, char **ret);
int store_set_lines(Store *store, const char *device, const char *lines);
