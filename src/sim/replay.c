/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay.h"

#include <string.h>

#include "macros.h"

/* A command with what the radio sent until the next one. */
typedef struct Exchange {
        const TranscriptRecord *command;
        GPtrArray *answers; /* TranscriptRecord, codes below 0x80 */
        GPtrArray *pushes;  /* TranscriptRecord */
        bool used, message;
} Exchange;

struct Replay {
        GPtrArray *exchanges;
        GQueue owed; /* TranscriptRecord */
        bool flushed;
};

static void exchange_free(Exchange *exchange) {
        g_ptr_array_unref(exchange->answers);
        g_ptr_array_unref(exchange->pushes);
        g_free(exchange);
}

static Exchange *add_exchange(Replay *replay, const TranscriptRecord *command) {
        Exchange *exchange = g_new0(Exchange, 1);

        exchange->command = command;
        exchange->answers = g_ptr_array_new();
        exchange->pushes = g_ptr_array_new();
        g_ptr_array_add(replay->exchanges, exchange);
        return exchange;
}

/* The app may have sent a command before the answer to the one before came:
 * an answer belongs to the oldest command without one. Frames of a contact
 * dump belong to the dump. */
static Exchange *owner_of(Replay *replay, const TranscriptRecord *record, Exchange *dump) {
        Exchange *last = g_ptr_array_index(replay->exchanges, replay->exchanges->len - 1);

        if (dump && (record->frame[0] == RESP_CONTACT || record->frame[0] == RESP_END_OF_CONTACTS))
                return dump;
        /* bytes that were no frame: whatever they caused stays with them */
        if (!last->command)
                return last;
        if (last->answers->len == 0)
                for (guint i = 0; i < replay->exchanges->len; i++) {
                        Exchange *exchange = g_ptr_array_index(replay->exchanges, i);

                        if (exchange->answers->len == 0 && exchange->command &&
                            exchange->command->connection == record->connection)
                                return exchange;
                }

        return last;
}

Replay *replay_new(const Transcript *transcript) {
        Replay *replay = g_new0(Replay, 1);
        Exchange *dump = NULL;

        replay->exchanges = g_ptr_array_new_with_free_func((GDestroyNotify) exchange_free);
        g_queue_init(&replay->owed);
        (void) add_exchange(replay, NULL);

        for (size_t i = 0; i < transcript_length(transcript); i++) {
                const TranscriptRecord *record = transcript_at(transcript, i);
                Exchange *exchange;

                if (record->from_app) {
                        (void) add_exchange(replay, record->frame_size > 0 ? record : NULL);
                        continue;
                }
                if (record->frame_size == 0)
                        continue;
                if (record->frame[0] >= PUSH_FIRST) {
                        exchange = g_ptr_array_index(replay->exchanges, replay->exchanges->len - 1);
                        g_ptr_array_add(exchange->pushes, (gpointer) record);
                        continue;
                }

                exchange = owner_of(replay, record, dump);
                g_ptr_array_add(exchange->answers, (gpointer) record);
                exchange->message = exchange->message || transcript_is_message(record);
                if (record->frame[0] == RESP_CONTACTS_START)
                        dump = exchange;
                else if (record->frame[0] == RESP_END_OF_CONTACTS)
                        dump = NULL;
        }

        return replay;
}

Replay *replay_free(Replay *replay) {
        if (!replay)
                return NULL;

        g_queue_clear(&replay->owed);
        g_ptr_array_unref(replay->exchanges);
        g_free(replay);
        return NULL;
}

/* Questions: the same answer may be given again. */
static bool may_repeat(uint8_t code) {
        static const uint8_t codes[] = {CMD_APP_START,
                                        CMD_GET_CONTACTS,
                                        CMD_GET_BATT_AND_STORAGE,
                                        CMD_DEVICE_QUERY,
                                        CMD_GET_CONTACT_BY_KEY,
                                        CMD_GET_CHANNEL,
                                        CMD_GET_CUSTOM_VARS,
                                        CMD_GET_TUNING_PARAMS,
                                        CMD_GET_STATS,
                                        CMD_GET_AUTOADD_CONFIG,
                                        CMD_GET_ALLOWED_REPEAT_FREQ,
                                        CMD_GET_DEFAULT_FLOOD_SCOPE};

        return memchr(codes, code, sizeof(codes)) != NULL;
}

/* Where in a command stands what it is about, and how long that is; a size of
 * 0 where the code says all. false: only the very same command will do. */
static bool subject_of(uint8_t code, size_t *ret_offset, size_t *ret_size) {
        *ret_offset = 1;
        *ret_size = 0;
        switch (code) {
        case CMD_APP_START:
        case CMD_DEVICE_QUERY:
        case CMD_GET_BATT_AND_STORAGE:
        case CMD_GET_CUSTOM_VARS:
        case CMD_GET_TUNING_PARAMS:
        case CMD_GET_AUTOADD_CONFIG:
        case CMD_GET_ALLOWED_REPEAT_FREQ:
        case CMD_GET_DEFAULT_FLOOD_SCOPE:
        case CMD_EXPORT_PRIVATE_KEY:
                return true;
        case CMD_GET_CHANNEL:
        case CMD_GET_STATS:
                *ret_size = 1;
                return true;
        case CMD_SEND_CHANNEL_TXT_MSG:
                *ret_size = 2;
                return true;
        case CMD_SEND_TXT_MSG:
                *ret_offset = 7;
                *ret_size = KEY_PREFIX_SIZE;
                return true;
        case CMD_SEND_BINARY_REQ:
        case CMD_SEND_ANON_REQ:
                *ret_size = PUBLIC_KEY_SIZE + 1;
                return true;
        case CMD_GET_CONTACT_BY_KEY:
        case CMD_EXPORT_CONTACT:
        case CMD_SHARE_CONTACT:
        case CMD_SEND_STATUS_REQ:
                *ret_size = PUBLIC_KEY_SIZE;
                return true;
        case CMD_SEND_PATH_DISCOVERY_REQ:
        case CMD_GET_ADVERT_PATH:
                *ret_offset = 2;
                *ret_size = PUBLIC_KEY_SIZE;
                return true;
        case CMD_SEND_TELEMETRY_REQ:
                *ret_offset = 4;
                *ret_size = PUBLIC_KEY_SIZE;
                return true;
        default:
                return false;
        }
}

static bool is_same_command(const Exchange *exchange, const uint8_t *frame, size_t size) {
        return exchange->command && exchange->command->frame_size == size &&
               memcmp(exchange->command->frame, frame, size) == 0;
}

/* A whole dump answers a question for the whole only. */
static bool is_like(const Exchange *exchange, const uint8_t *frame, size_t size) {
        const TranscriptRecord *command = exchange->command;
        size_t offset, length;

        if (!command || command->frame[0] != frame[0])
                return false;
        if (frame[0] == CMD_GET_CONTACTS)
                return size < 5 && command->frame_size < 5;
        if (!subject_of(frame[0], &offset, &length))
                return false;
        /* Commands 17 and 39 without a key are about the radio itself. */
        if (size < offset + length || command->frame_size < offset + length)
                return size == command->frame_size;

        return memcmp(command->frame + offset, frame + offset, length) == 0;
}

static bool was_refused(const Exchange *exchange) {
        const TranscriptRecord *first =
                        exchange->answers->len > 0 ? g_ptr_array_index(exchange->answers, 0) : NULL;

        return !first || first->frame[0] == RESP_ERR;
}

/* Another client took over in the middle of it. */
static bool was_cut(const Exchange *exchange) {
        const TranscriptRecord *last;

        if (exchange->command->frame[0] != CMD_GET_CONTACTS)
                return false;

        last = g_ptr_array_index(exchange->answers, exchange->answers->len - 1);
        return last->frame[0] != RESP_END_OF_CONTACTS;
}

/* First what nobody has asked yet, then what may be told again. What was
 * refused or passed over in silence only counts for the very same command. */
static Exchange *find(Replay *replay, const uint8_t *frame, size_t size) {
        Exchange *found = NULL;

        for (guint i = 0; i < replay->exchanges->len; i++) {
                Exchange *exchange = g_ptr_array_index(replay->exchanges, i);

                if (is_same_command(exchange, frame, size) && !exchange->used && exchange->answers->len > 0 &&
                    !was_cut(exchange))
                        return exchange;
        }
        for (guint i = 0; i < replay->exchanges->len; i++) {
                Exchange *exchange = g_ptr_array_index(replay->exchanges, i);

                if (!is_like(exchange, frame, size) || was_refused(exchange) || was_cut(exchange))
                        continue;
                if (!exchange->used)
                        return exchange;
                found = exchange;
        }

        return found && may_repeat(frame[0]) ? found : NULL;
}

static void owe(Replay *replay, const GPtrArray *records) {
        for (guint i = 0; i < records->len; i++)
                g_queue_push_tail(&replay->owed, g_ptr_array_index(records, i));
}

static void tell(Replay *replay, Exchange *exchange) {
        owe(replay, exchange->answers);
        /* What happened after it, happens once. */
        owe(replay, exchange->pushes);
        g_ptr_array_set_size(exchange->pushes, 0);
        exchange->used = true;
}

/* Whether a push answers a command, so that it makes no sense alone. */
static bool is_answer(uint8_t code) {
        static const uint8_t codes[] = {PUSH_SEND_CONFIRMED,  PUSH_LOGIN_SUCCESS,
                                        PUSH_LOGIN_FAIL,      PUSH_STATUS_RESPONSE,
                                        PUSH_TRACE_DATA,      PUSH_TELEMETRY_RESPONSE,
                                        PUSH_BINARY_RESPONSE, PUSH_PATH_DISCOVERY_RESPONSE};

        return memchr(codes, code, sizeof(codes)) != NULL;
}

/* What the radio told by itself after commands that this app has not given. */
static void owe_the_rest(Replay *replay) {
        for (guint i = 0; i < replay->exchanges->len; i++) {
                Exchange *exchange = g_ptr_array_index(replay->exchanges, i);

                if (exchange->used)
                        continue;
                for (guint k = 0; k < exchange->pushes->len; k++) {
                        TranscriptRecord *record = g_ptr_array_index(exchange->pushes, k);

                        if (!is_answer(record->frame[0]))
                                g_queue_push_tail(&replay->owed, record);
                }
        }
        replay->flushed = true;
}

static bool next_message(Replay *replay) {
        for (guint i = 0; i < replay->exchanges->len; i++) {
                Exchange *exchange = g_ptr_array_index(replay->exchanges, i);

                if (exchange->message && !exchange->used) {
                        tell(replay, exchange);
                        return true;
                }
        }

        if (!replay->flushed)
                owe_the_rest(replay);
        return false;
}

bool replay_command(Replay *replay, const uint8_t *frame, size_t size) {
        Exchange *exchange;

        if (frame[0] == CMD_SYNC_NEXT_MESSAGE)
                return next_message(replay);

        exchange = find(replay, frame, size);
        if (!exchange || exchange->message)
                return false;

        tell(replay, exchange);
        return true;
}

bool replay_next(Replay *replay, const uint8_t **ret_frame, size_t *ret_size) {
        const TranscriptRecord *record = g_queue_pop_head(&replay->owed);

        if (!record)
                return false;

        *ret_frame = record->frame;
        *ret_size = record->frame_size;
        return true;
}

void replay_disconnected(Replay *replay) {
        g_queue_clear(&replay->owed);
        for (guint i = 0; i < replay->exchanges->len; i++) {
                Exchange *exchange = g_ptr_array_index(replay->exchanges, i);

                exchange->used = exchange->used && exchange->message;
        }
}
