/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "autobus.h"
#include "command-line.h"
#include "conversation.h"
#include "key.h"
#include "macros.h"

int conversation_find(Objects *objects, const char *radio, const char *name, bool channel_only,
                      HistoryFilter *ret, char **ret_candidates) {
        const char *path;
        PublicKey key;
        int r;

        if (channel_only)
                r = objects_find_channel(objects, radio, name, &path, ret_candidates);
        else
                r = objects_find_recipient(objects, radio, name, &path, ret_candidates);
        if (r < 0)
                return r;
        if (r == 0) {
                /* Messages of a contact that was removed are still there. */
                if (channel_only || key_from_text(name, &key) < 0)
                        return 0;
                path = name;
        }

        ret->conversation = path;
        ret->is_channel = path[0] == '/' && objects_get(objects, path, IFACE_CHANNEL);
        return 1;
}

ExitCode message_find(Client *client, Objects *objects, const CtlOptions *options, const char *number,
                      JsonObject **ret) {
        g_autoptr(GPtrArray) radios = NULL;
        ExitCode code;
        uint64_t id;

        if (parse_number(number, INT64_MAX, &id) < 0 || id == 0)
                return ctl_fail(EXIT_CODE_USAGE, "a message is named by its number, not: %s", number);
        code = objects_radios(objects, options, &radios);
        if (code != EXIT_CODE_OK)
                return code;

        for (guint i = 0; i < radios->len; i++) {
                g_autofree char *path = NULL;
                _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                int r;

                path = g_strdup_printf("%s/message/%" G_GUINT64_FORMAT, (char *) radios->pdata[i], id);
                r = history_get(client, objects, path, &error, ret);
                if (r >= 0)
                        return EXIT_CODE_OK;
                if (client_exit_code(&error, r) != EXIT_CODE_NOT_FOUND)
                        return client_report(client, NULL, &error, r);
        }

        return ctl_fail(EXIT_CODE_NOT_FOUND, "there is no message %" G_GUINT64_FORMAT, id);
}
