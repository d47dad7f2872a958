/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "elsewhere.h"
#include "macros.h"

/* Long and short names, as in the section COMING FROM MESHCORE-CLI of the manual page. */
static const struct {
        const char *names, *here;
} table[] = {
                {"infos i ver v get", "radio show"},
                {"self_telemetry t", "radio telemetry"},
                {"card e", "contact export"},
                {"reboot", "radio reboot"},
                {"chat_to to", "chat"},
                {"msg m {", "send"},
                {"chan ch", "send --channel CHANNEL"},
                {"public dch", "send --channel 0"},
                {"wait_ack wa }", "send --wait delivered"},
                {"recv r sync_msgs sm", "messages --unread --mark-read"},
                {"msgs_subscribe ms", "messages --follow"},
                {"wait_msg wm trywait_msg wmt", "on-message --count 1"},
                {"get_channel get_channels", "channels"},
                {"set_channel add_channel", "channel set"},
                {"remove_channel", "channel clear"},
                {"advert a", "radio advertise"},
                {"floodadv", "radio advertise --flood"},
                {"set", "radio set-…"},
                {"time clock st", "radio time-sync"},
                {"list lc", "contacts"},
                {"contact_info ci path", "contact show"},
                {"share_contact sc", "contact share"},
                {"export_contact ec", "contact export"},
                {"import_contact ic", "contact import"},
                {"remove_contact", "contact remove"},
                {"reset_path rp", "contact reset-path"},
                {"change_path cp", "contact set-path"},
                {"change_flags cf", "contact update --flags"},
                {"disc_path dp", "node path"},
                {"req_telemetry rt", "node telemetry"},
                {"req_mma rm", "node mma"},
                {"req_acl", "node acl"},
                {"req_status rs", "node status"},
                {"req_neighbours rn", "node neighbours"},
                {"pending_contacts", "pending list"},
                {"add_pending", "pending add"},
                {"flush_pending", "pending dismiss"},
                {"login l", "node login"},
                {"logout", "node logout"},
                {"cmd c [", "node command"},
                {"apply_to at", "apply-to"},
};

static bool is_listed(const char *names, const char *name) {
        size_t n = strlen(name);

        for (const char *p = names; p; p = strchr(p, ' ')) {
                p += *p == ' ';
                if (strncmp(p, name, n) == 0 && (p[n] == ' ' || p[n] == '\0'))
                        return true;
        }
        return false;
}

const char *verb_elsewhere(const char *name) {
        for (size_t i = 0; *name && i < ELEMENTSOF(table); i++)
                if (is_listed(table[i].names, name))
                        return table[i].here;
        return NULL;
}
