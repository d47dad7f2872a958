/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"

static const BusOption *option_find(const BusOption *options, size_t n, const char *key) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(options[i].key, key) == 0)
                        return options + i;
        return NULL;
}

static bool option_takes(const BusOption *option, const char *signature) {
        if (strcmp(option->types, signature) == 0)
                return true;
        return strlen(signature) == 1 && !strpbrk(option->types, "(a") && strchr(option->types, signature[0]);
}

static int read_option(sd_bus_message *m, const BusOption *option, sd_bus_error *error) {
        const char *signature;
        int r;

        r = sd_bus_message_peek_type(m, NULL, &signature);
        if (r < 0)
                return bus_error_arguments(error, r);
        if (!option_takes(option, signature))
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "%s has type %s instead of %.*s",
                                     option->key, signature, strpbrk(option->types, "(a") ? -1 : 1,
                                     option->types);

        r = sd_bus_message_enter_container(m, 'v', signature);
        if (r < 0)
                return bus_error_arguments(error, r);
        if (option->read) {
                r = option->read(m, signature, option->ret, error);
                if (r < 0)
                        return r;
        } else {
                r = sd_bus_message_read_basic(m, signature[0], option->ret);
                if (r < 0)
                        return bus_error_arguments(error, r);
        }
        return sd_bus_message_exit_container(m);
}

int bus_read_options(sd_bus_message *m, const BusOption *options, size_t n, sd_bus_error *error) {
        unsigned given = 0;
        int r;

        g_assert(n < 31);

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return bus_error_arguments(error, r);

        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const BusOption *option;
                const char *key;
                unsigned bit;

                r = sd_bus_message_read_basic(m, 's', &key);
                if (r < 0)
                        return bus_error_arguments(error, r);

                /* A misspelt option must not be taken for none. */
                option = option_find(options, n, key);
                if (!option)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "Unknown key %s", key);
                bit = 1U << (option - options);
                if (given & bit)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "%s is there twice", key);
                given |= bit;

                r = read_option(m, option, error);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return bus_error_arguments(error, r);
        }
        if (r < 0)
                return bus_error_arguments(error, r);

        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return bus_error_arguments(error, r);
        return (int) given;
}
