/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "blank.h"
#include "key.h"
#include "macros.h"
#include "protocol.h"

/* Where it stands in the frame; a size of 0 means all the rest, since a frame of another length may
 * hold a longer secret. */
typedef struct Place {
        uint8_t code;
        uint8_t offset, size;
} Place;

static const Place commands[] = {
                {CMD_IMPORT_PRIVATE_KEY, 1, 0},
                {CMD_SEND_LOGIN, 1 + PUBLIC_KEY_SIZE, 0},
                {CMD_SET_CHANNEL, 2 + NAME_FIELD_SIZE, 0},
                {CMD_SET_DEVICE_PIN, 1, 0},
                {CMD_SET_FLOOD_SCOPE_KEY, 2, 0},
                {CMD_SET_DEFAULT_FLOOD_SCOPE, 1 + SCOPE_NAME_FIELD_SIZE, 0},
};

static const Place answers[] = {
                {RESP_DEVICE_INFO, 4, 4}, /* the PIN */
                {RESP_PRIVATE_KEY, 1, 0},
                {RESP_CHANNEL_INFO, 2 + NAME_FIELD_SIZE, 0},
                {RESP_DEFAULT_FLOOD_SCOPE, 1 + SCOPE_NAME_FIELD_SIZE, 0},
};

/* Texts of type TEXT_CLI_DATA: where the type stands, and the text. */
static const struct {
        bool command;
        uint8_t code, type, text;
} lines[] = {
                {true, CMD_SEND_TXT_MSG, 1, 13},
                {false, RESP_CONTACT_MSG_RECV, 8, 13},
                {false, RESP_CONTACT_MSG_RECV_V3, 11, 16},
};

static bool blank_lines(uint8_t *frame, size_t size, bool command) {
        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                if (lines[i].command == command && lines[i].code == frame[0] && size > lines[i].text &&
                    frame[lines[i].type] == TEXT_CLI_DATA) {
                        memset(frame + lines[i].text, '*', size - lines[i].text);
                        return true;
                }
        return false;
}

bool frame_blank(uint8_t *frame, size_t size, bool command) {
        const Place *places = command ? commands : answers;
        const size_t n = command ? ELEMENTSOF(commands) : ELEMENTSOF(answers);

        if (size == 0)
                return false;
        for (size_t i = 0; i < n; i++)
                if (places[i].code == frame[0] && size > places[i].offset) {
                        size_t left = size - places[i].offset;

                        memset(frame + places[i].offset, 0,
                               places[i].size > 0 ? MIN(left, places[i].size) : left);
                        return true;
                }
        return blank_lines(frame, size, command);
}
