/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Flood scopes: the region in whose name floods go out, wire reference 3.1,
 * commands 54 and 63. */

#include <string.h>

#include "derive.h"
#include "setting-internal.h"

#define SCOPE_LEVEL         8
#define DEFAULT_SCOPE_LEVEL 11
#define UNSCOPED_LEVEL      12

static const RequestKind scope_kind = {
                .what = "cannot set the flood scope",
                .start = setting_start,
                .done = setting_done,
};

static OutcomeCode take_key(const RadioScope *scope, uint8_t key[SECRET_SIZE], Outcome *ret) {
        static const uint8_t zeroes[SECRET_SIZE];

        if (!g_utf8_validate(scope->name, -1, NULL))
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "the name is not valid UTF-8");
        if (strlen(scope->name) > RADIO_SCOPE_MAX)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "the name of a region has 1 to %d bytes of UTF-8, not %zu",
                                   RADIO_SCOPE_MAX, strlen(scope->name));
        if (!scope->key) {
                if (derive_scope_key(scope->name, key) < 0)
                        return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "no key follows from this name");
                return OUTCOME_OK;
        }

        memcpy(key, scope->key, SECRET_SIZE);
        if (memcmp(key, zeroes, SECRET_SIZE) == 0)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "a key of zeroes means no scope");
        return OUTCOME_OK;
}

static OutcomeCode take_scope(Setting *s, const RadioScope *scope, Outcome *ret) {
        uint8_t key[SECRET_SIZE];
        OutcomeCode code;

        s->level = scope->is_default ? DEFAULT_SCOPE_LEVEL : SCOPE_LEVEL;
        s->release = scope->is_default ? "1.15" : "1.10";
        s->read_back = scope->is_default ? READ_SCOPE : 0;

        if (scope->name[0] == '\0' || strcmp(scope->name, "*") == 0) {
                if (scope->key)
                        return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                           "a key needs the name of its region");
                if (scope->is_default)
                        (void) command_clear_default_flood_scope(&s->command);
                else if (scope->name[0] == '\0')
                        (void) command_clear_flood_scope(&s->command);
                else {
                        s->level = UNSCOPED_LEVEL;
                        s->release = "1.16";
                        (void) command_force_unscoped(&s->command);
                }
                return OUTCOME_OK;
        }

        code = take_key(scope, key, ret);
        if (code != OUTCOME_OK)
                return code;
        if (scope->is_default)
                (void) command_set_default_flood_scope(&s->command, scope->name, key);
        else
                (void) command_set_flood_scope_key(&s->command, key);
        explicit_bzero(key, sizeof(key));
        return OUTCOME_OK;
}

void radio_set_flood_scope(Radio *radio, const RadioScope *scope, radio_done_t done, void *userdata) {
        Setting *s = setting_new(sizeof(Setting), done, userdata);
        g_auto(Outcome) outcome = {};

        (void) take_scope(s, scope, &outcome);
        setting_submit(radio, s, &scope_kind, &outcome);
}
