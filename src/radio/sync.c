/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <syslog.h>

#include "clock.h"
#include "contact-internal.h"
#include "hotplug.h"
#include "macros.h"
#include "protocol.h"
#include "request-internal.h"
#include "sync-internal.h"

#define CLOCK_BEHIND_S      2  /* less is not worth a command */
#define CLOCK_AHEAD_S       60 /* more is worth telling */
#define QUERY_TRIES         3
#define DUMP_TRIES          2
#define STALE_MAX           6    /* frames of a former client: 4 in the queue, and some to spare */
#define CONTACTS_FRAMES_MAX 4096 /* no firmware holds more; a dump that never ends does */
#define AUTO_ADD_LEVEL      8    /* has command 59, from 1.12.0 on */
#define TELL_USEC           (USEC_PER_SEC / 4)

/* The start sequence, wire reference 2.1, but for the channels; see sync-internal.h. */

static void sync_step(Sync *sync);

static void drop_contact(gpointer contact) {
        contact_free(contact);
}

void sync_next(Sync *sync, SyncStep step) {
        sync->step = step;
        sync->tries = 0;
        sync_step(sync);
}

void sync_call(Sync *sync, const Command *command, session_reply_t reply) {
        int r;

        r = session_call(sync->radio->session, command, SESSION_BACKGROUND, reply, sync);
        if (r < 0)
                radio_fail(sync->radio, REASON_PROTOCOL, OUTCOME_FAILED, "cannot queue a command: %s",
                           g_strerror(-r));
}

bool sync_check(Sync *sync, const SessionReply *reply, const char *what) {
        switch (reply->result) {
        case SESSION_REPLY:
                if (reply->frame->code != RESP_ERR)
                        return true;
                radio_fail(sync->radio, REASON_PROTOCOL, OUTCOME_REJECTED, "the radio refuses %s: %s", what,
                           error_code_to_string(reply->frame->error.code));
                return false;
        case SESSION_MALFORMED:
                radio_fail(sync->radio, REASON_PROTOCOL, OUTCOME_FAILED,
                           "the radio's answer to %s makes no sense", what);
                return false;
        case SESSION_TIMEOUT:
                if (++sync->tries < QUERY_TRIES)
                        sync_step(sync);
                else
                        radio_fail(sync->radio, REASON_TIMEOUT, OUTCOME_TIMEOUT,
                                   "the radio does not answer %s", what);
                return false;
        default:
                return false;
        }
}

/* -- how far it is ------------------------------------------------------------- */

unsigned sync_count_slots(const Sync *sync) {
        unsigned max_channels = sync->radio->info.max_channels;

        return max_channels > 0 ? max_channels : CHANNELS_MAX_UNTOLD;
}

void sync_advance(Sync *sync, unsigned done) {
        uint64_t now = clock_boottime_usec();

        if (sync->early)
                return;
        sync->total = sync->announced + sync_count_slots(sync);
        sync->done = MIN(done, sync->total);
        if (now - sync->told_usec < TELL_USEC)
                return;

        sync->told_usec = now;
        sync->told = true;
        radio_notify(sync->radio, RADIO_CHANGED_SYNC);
}

static void sync_reset_progress(Sync *sync) {
        bool told = sync->told;

        sync->done = sync->total = 0;
        sync->told_usec = clock_boottime_usec();
        sync->told = false;
        if (told)
                radio_notify(sync->radio, RADIO_CHANGED_SYNC);
}

void sync_progress(const Sync *sync, unsigned *ret_done, unsigned *ret_total) {
        *ret_done = sync->done;
        *ret_total = sync->total;
}

/* -- device and self -------------------------------------------------------- */

static void device_reply(Session *session, const SessionReply *reply, void *userdata) {
        Sync *sync = userdata;

        /* No firmware refuses this; the error was a former client's and lay in the radio's send
         * queue (wire reference 1.2). Behind our answer nothing of theirs can follow. */
        if (reply->result == SESSION_REPLY && reply->frame->code == RESP_ERR && ++sync->tries < STALE_MAX) {
                sync_step(sync);
                return;
        }
        if (!sync_check(sync, reply, "the device query"))
                return;

        session_set_level(session, reply->frame->device_info.level);
        radio_update_device(sync->radio, reply->frame);
        sync_next(sync, SYNC_SELF);
}

static void self_reply(Session *session, const SessionReply *reply, void *userdata) {
        Sync *sync = userdata;
        Radio *radio = sync->radio;
        const PublicKey *key;
        Radio *other;
        int r;

        if (!sync_check(sync, reply, "the start of the session"))
                return;

        key = &reply->frame->self_info.public_key;
        if (radio->settings->transport == TRANSPORT_SERIAL)
                hotplug_learn(manager_hotplug(radio->manager), radio->device, key);
        if (radio->settings->has_public_key && !key_equal(key, &radio->settings->public_key)) {
                radio_fail(radio, REASON_WRONG_RADIO, OUTCOME_REJECTED,
                           "the radio's key is %s, but PublicKey= asks for another one",
                           key_to_text(key).text);
                return;
        }
        other = manager_find_connected(radio->manager, key, radio);
        if (other) {
                radio_fail(radio, REASON_DUPLICATE, OUTCOME_IN_PROGRESS,
                           "this is the radio that %s is connected to already", radio_id(other));
                return;
        }

        r = radio_load_identity(radio, key);
        if (r < 0) {
                radio_fail(radio, REASON_STORAGE_FULL, OUTCOME_FAILED,
                           "cannot load what is stored of this radio: %s", g_strerror(-r));
                return;
        }
        radio->identity_confirmed = true;
        (void) receive_catch_up(radio->receive); /* tried again, and told, before the first pop */
        radio_update_self(radio, reply->frame);
        sync_next(sync, SYNC_CLOCK);
}

/* -- clock -------------------------------------------------------------------- */

static void clock_reply(Session *session, const SessionReply *reply, void *userdata) {
        Sync *sync = userdata;
        uint64_t now = clock_realtime_usec() / USEC_PER_SEC;
        const RadioSettings *settings = sync->radio->settings;

        if (!sync_check(sync, reply, "the clock query"))
                return;

        sync->radio_time = reply->frame->current_time.time;
        radio_update_clock(sync->radio, sync->radio_time);

        if (settings->set_clock && (settings->trust_clock || clock_is_synchronised()) &&
            now > CLOCK_FLOOR_S && now <= UINT32_MAX && sync->radio_time + CLOCK_BEHIND_S < now)
                sync_next(sync, SYNC_SET_CLOCK);
        else
                sync_next(sync, SYNC_AUTO_ADD);
}

static void set_clock_reply(Session *session, const SessionReply *reply, void *userdata) {
        Sync *sync = userdata;

        /* Error 6: it is ahead already, wire reference 2.1. */
        if (reply->result == SESSION_REPLY && reply->frame->code == RESP_ERR) {
                radio_log(sync->radio, LOG_DEBUG, 0, "the radio keeps its clock");
                sync_next(sync, SYNC_AUTO_ADD);
                return;
        }
        if (!sync_check(sync, reply, "setting the clock"))
                return;

        radio_update_clock(sync->radio, (uint32_t) (clock_realtime_usec() / USEC_PER_SEC));
        sync_next(sync, SYNC_AUTO_ADD);
}

/* -- automatic adding ----------------------------------------------------------- */

static void auto_add_reply(Session *session, const SessionReply *reply, void *userdata) {
        Sync *sync = userdata;

        if (reply->result == SESSION_CLOSED)
                return;

        /* Firmware of this level may still lack the command, wire reference 2.4. */
        if (reply->result == SESSION_REPLY && reply->frame->kind == FRAME_AUTOADD)
                radio_update_auto_add(sync->radio, reply->frame->autoadd.flags,
                                      reply->frame->autoadd.has_max_hops ? reply->frame->autoadd.max_hops
                                                                         : -1);
        sync_next(sync, SYNC_CONTACTS);
}

static void ask_auto_add(Sync *sync) {
        Command command;

        if (sync->radio->info.level < AUTO_ADD_LEVEL) {
                sync_next(sync, SYNC_CONTACTS);
                return;
        }

        (void) command_get_autoadd_config(&command);
        sync_call(sync, &command, auto_add_reply);
}

/* -- contacts ------------------------------------------------------------------- */

/* After a whole dump: who was not in it is not in the radio any more. What we took out ourselves and what
 * the radio told us that it dropped is marked so already, so another program did it. */
static int mark_absent(Identity *identity, GPtrArray *present) {
        g_autoptr(GHashTable) seen = g_hash_table_new(key_hash_func, key_equal_func);
        g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(drop_contact);
        GHashTableIter iter;
        Contact *contact;
        int r;

        for (guint i = 0; i < present->len; i++)
                g_hash_table_add(seen, &((Contact *) present->pdata[i])->key);

        g_hash_table_iter_init(&iter, identity_contacts(identity));
        while (g_hash_table_iter_next(&iter, NULL, (void **) &contact))
                if (contact->on_radio && !g_hash_table_contains(seen, &contact->key)) {
                        Contact *absent = contact_copy(contact);

                        absent->on_radio = false;
                        absent->removed_elsewhere = true;
                        g_ptr_array_add(gone, absent);
                }

        for (guint i = 0; i < gone->len; i++) {
                r = identity_put_contact(identity, gone->pdata[i]);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Everything of one dump becomes visible and durable at once, the mark for the
 * next one with it. */
static int commit_dump(Sync *sync, bool complete, uint32_t most_recent) {
        Identity *identity = sync->radio->identity;
        uint32_t since;
        int r;

        r = identity_begin(identity);
        if (r < 0)
                return r;

        for (guint i = 0; i < sync->dump->len && r >= 0; i++) {
                book_merge(sync->radio, sync->dump->pdata[i], false);
                r = identity_put_contact(identity, sync->dump->pdata[i]);
        }
        if (r >= 0 && sync->full && complete)
                r = mark_absent(identity, sync->dump);

        /* 0 says that none was sent, not where to go on from. */
        since = most_recent > 0 ? most_recent : sync->full ? 0 : identity_contacts_since(identity);
        if (r >= 0)
                r = identity_set_contacts_mark(identity, since, sync->announced);
        if (r >= 0)
                r = identity_commit(identity);
        if (r < 0)
                identity_rollback(identity);
        return r;
}

static void contacts_item(Session *session, const Frame *frame, void *userdata) {
        Sync *sync = userdata;

        if (frame->kind == FRAME_CONTACTS_START)
                sync->announced = frame->contacts_start.count;
        else if (sync->dump->len >= CONTACTS_FRAMES_MAX)
                radio_fail(sync->radio, REASON_PROTOCOL, OUTCOME_FAILED,
                           "the radio's list of contacts does not end");
        else {
                Contact *contact = translate_contact(frame);

                contact->on_radio = true;
                g_ptr_array_add(sync->dump, contact);
                sync_advance(sync, sync->dump->len);
        }
}

static uint32_t newest_lastmod(GPtrArray *dump) {
        uint32_t newest = 0;

        for (guint i = 0; i < dump->len; i++)
                newest = MAX(newest, ((Contact *) dump->pdata[i])->lastmod);
        return newest;
}

static void contacts_reply(Session *session, const SessionReply *reply, void *userdata) {
        Sync *sync = userdata;
        Radio *radio = sync->radio;
        Identity *identity = radio->identity;
        bool complete = true;
        uint32_t most_recent;
        int r;

        if (reply->result == SESSION_TIMEOUT && sync->announced > 0 && sync->dump->len == sync->announced) {
                /* All are here, only the end got lost: as good as told. */
                radio_log(radio, LOG_DEBUG, 0, "the list of contacts has no end, but is complete");
                most_recent = newest_lastmod(sync->dump);
        } else if (sync_check(sync, reply, "the list of contacts"))
                most_recent = reply->frame->end_of_contacts.most_recent_lastmod;
        else
                return;

        if (sync->full && sync->dump->len != sync->announced) {
                /* A removal in the middle of a dump can hide one, wire reference 7.6. */
                if (++sync->tries < DUMP_TRIES) {
                        sync_step(sync);
                        return;
                }
                radio_log(radio, LOG_WARNING, 0,
                          "the radio announced %u contacts and sent %u, going on with these", sync->announced,
                          sync->dump->len);
                complete = false;
        }

        r = commit_dump(sync, complete, complete ? most_recent : 0);
        if (r < 0) {
                radio_fail(radio, REASON_STORAGE_FULL, OUTCOME_STORAGE_FULL, "cannot store the contacts: %s",
                           g_strerror(-r));
                return;
        }

        /* What an incremental dump never tells: removals, evictions, path resets. */
        for (guint i = 0; i < sync->dump->len; i++)
                (void) pending_remove(radio->pending, &((Contact *) sync->dump->pdata[i])->key);

        if (!sync->full && book_count_on_radio(identity) != sync->announced) {
                sync->full = true;
                sync->tries = 0;
                sync_step(sync);
                return;
        }

        sync_begin_channels(sync);
}

static void ask_contacts(Sync *sync) {
        uint32_t since = identity_contacts_since(sync->radio->identity);
        Command command;
        int r;

        /* The marks are times of the radio's clock: after that jumped back, what changes is
         * marked with times that we believe to know already. */
        if (sync->tries == 0 && !sync->full)
                sync->full = since == 0 || sync->radio_time < since;

        g_ptr_array_set_size(sync->dump, 0);
        sync->announced = 0;
        if (sync->full)
                (void) command_get_contacts(&command);
        else
                /* Strictly greater, and a second is long enough for two changes. */
                (void) command_get_contacts_since(&command, since - 1);

        r = session_call_dump(sync->radio->session, &command, contacts_item, contacts_reply, sync);
        if (r < 0)
                radio_fail(sync->radio, REASON_PROTOCOL, OUTCOME_FAILED, "cannot queue a command: %s",
                           g_strerror(-r));
}

/* -- battery ---------------------------------------------------------------------- */

static void battery_reply(Session *session, const SessionReply *reply, void *userdata) {
        Sync *sync = userdata;

        if (reply->result == SESSION_REPLY && reply->frame->code == RESP_BATT_AND_STORAGE)
                radio_update_battery(sync->radio, reply->frame);
        else if (reply->result == SESSION_CLOSED)
                return;

        sync_next(sync, SYNC_DRAIN);
}

static void poll_reply(Session *session, const SessionReply *reply, void *userdata) {
        Sync *sync = userdata;

        sync->polling = false;
        if (reply->result == SESSION_REPLY && reply->frame->code == RESP_BATT_AND_STORAGE)
                radio_update_battery(sync->radio, reply->frame);
}

void sync_poll(Sync *sync) {
        Command command;

        if (sync->step != SYNC_DONE || sync->polling)
                return;

        (void) command_get_batt_and_storage(&command);
        sync->polling = session_call(sync->radio->session, &command, SESSION_BACKGROUND, poll_reply, sync) >=
                        0;
}

/* -- the ladder --------------------------------------------------------------------- */

static void sync_step(Sync *sync) {
        Command command;

        switch (sync->step) {
        case SYNC_DEVICE:
                (void) command_device_query(&command, PROTOCOL_LEVEL_KNOWN);
                sync_call(sync, &command, device_reply);
                break;
        case SYNC_SELF:
                (void) command_app_start(&command, APP_NAME);
                sync_call(sync, &command, self_reply);
                break;
        case SYNC_CLOCK:
                (void) command_get_device_time(&command);
                sync_call(sync, &command, clock_reply);
                break;
        case SYNC_SET_CLOCK:
                (void) command_set_device_time(&command, (uint32_t) (clock_realtime_usec() / USEC_PER_SEC));
                sync_call(sync, &command, set_clock_reply);
                break;
        case SYNC_AUTO_ADD:
                ask_auto_add(sync);
                break;
        case SYNC_CONTACTS:
                ask_contacts(sync);
                break;
        case SYNC_CHANNELS:
                sync_ask_channel(sync);
                break;
        case SYNC_BATTERY:
                (void) command_get_batt_and_storage(&command);
                sync_call(sync, &command, battery_reply);
                break;
        case SYNC_DRAIN:
                /* Nobody waits for these, but they stand before the pops in the queue of commands. */
                if (!sync->early)
                        radio_read_details(sync->radio);
                receive_start(sync->radio->receive);
                receive_drain(sync->radio->receive);
                break;
        case SYNC_DONE:
                break;
        }
}

void sync_start(Sync *sync) {
        sync->full = sync->early = false;
        sync_reset_progress(sync);
        sync_next(sync, SYNC_DEVICE);
}

static void enter_ready(Sync *sync) {
        Radio *radio = sync->radio;
        bool ahead = radio->info.clock_skew_usec > (int64_t) (CLOCK_AHEAD_S * USEC_PER_SEC);

        sync_reset_progress(sync);
        radio_enter_state(radio, RADIO_READY, ahead ? REASON_CLOCK_AHEAD : REASON_NONE);
        fresh_start(radio->fresh);
}

void sync_drained(Sync *sync) {
        bool first = sync->step == SYNC_DRAIN;

        if (sync->step < SYNC_DRAIN && !sync->early)
                return;

        if (!sync->early)
                sync->step = SYNC_DONE;
        if (sync->radio->state == RADIO_SYNCING)
                enter_ready(sync);
        /* Unless whoever heard of it has stopped the radio. */
        if (first && sync->early)
                sync_go_on_with_channels(sync);
}

void sync_finish_early(Sync *sync) {
        sync->early = false;
        sync->step = SYNC_DONE;
        radio_read_details(sync->radio);
        sync_poll(sync);
        requests_wake(sync->radio->requests);
}

bool sync_is_done(const Sync *sync) {
        return sync->step == SYNC_DONE;
}

void sync_stop(Sync *sync) {
        sync->step = SYNC_DEVICE;
        sync->early = false;
        sync_reset_progress(sync);
        sync->polling = false;
        g_ptr_array_set_size(sync->dump, 0);
}

Sync *sync_new(Radio *radio) {
        Sync *sync = g_new0(Sync, 1);

        sync->radio = radio;
        sync->dump = g_ptr_array_new_with_free_func(drop_contact);
        return sync;
}

Sync *sync_free(Sync *sync) {
        if (!sync)
                return NULL;

        g_ptr_array_unref(sync->dump);
        return g_free(sync), NULL;
}
