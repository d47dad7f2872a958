/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"

static const BusOption *option_find(const BusOption *options, size_t n, const char *key) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(options[i].key, key) == 0)
                        return options + i;
        return NULL;
}

static int read_option(sd_bus_message *m, const BusOption *option, sd_bus_error *error) {
        const char *signature;
        int r;

        r = sd_bus_message_peek_type(m, NULL, &signature);
        if (r < 0)
                return bus_error_arguments(error, r);
        if (strlen(signature) != 1 || !strchr(option->types, signature[0]))
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "%s has type %s instead of %c",
                                     option->key, signature, option->types[0]);

        r = sd_bus_message_enter_container(m, 'v', signature);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = sd_bus_message_read_basic(m, signature[0], option->ret);
        if (r < 0)
                return bus_error_arguments(error, r);
        return sd_bus_message_exit_container(m);
}

int bus_read_options(sd_bus_message *m, const BusOption *options, size_t n, sd_bus_error *error) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return bus_error_arguments(error, r);

        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const BusOption *option;
                const char *key;

                r = sd_bus_message_read_basic(m, 's', &key);
                if (r < 0)
                        return bus_error_arguments(error, r);

                /* A misspelt option must not be taken for none. */
                option = option_find(options, n, key);
                if (!option)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "Unknown key %s", key);

                r = read_option(m, option, error);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return bus_error_arguments(error, r);
        }
        if (r < 0)
                return bus_error_arguments(error, r);

        return sd_bus_message_exit_container(m);
}
