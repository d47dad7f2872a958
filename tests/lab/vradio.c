/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vradio: a virtual Bluetooth LE controller with scripted LE peripherals in
 * its "air", for testing against the real kernel stack and bluetoothd.
 *
 * The program opens /dev/vhci. The kernel sees an LE-only controller (hci0)
 * whose firmware this program plays; the peripherals that it can find and
 * connect to live in this program, too: advertising, link layer, L2CAP, ATT
 * server with a Nordic UART Service as MeshCore radios have it, and SMP
 * responder (passkey entry, legacy pairing and LE Secure Connections) with a
 * fixed passkey. Nothing on the central's side is faked: the kernel runs its
 * own SMP, and bluetoothd its own GATT client.
 *
 * Commands come on a unix socket (see usage()), one line each, answered by
 * "ok ..." or "err ...". What happens is told to every client of the socket
 * in lines that begin with "!".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#define MAX_RADIOS  4
#define MAX_CLIENTS 8
#define MAX_BONDS   8
#define ACL_LEN     251
#define ACL_PKTS    8
#define ADV_MS      60   /* between advertisements */
#define DUP_MS      1000 /* duplicates are filtered for that long */

typedef uint8_t u8;
typedef uint16_t u16;

/* ------------------------------------------------------------------ state */

struct bond {
        bool used;
        bool sc;
        u8 peer_type, peer[6];
        u8 ltk[16];
        u16 ediv;
        u8 rand[8];
};

enum { SMP_IDLE, SMP_PUBKEY, SMP_CONFIRM, SMP_RANDOM, SMP_DHCHECK, SMP_ENCRYPT, SMP_KEYS };

struct radio {
        bool present;
        /* settings */
        char name[30];
        u8 addr[6];
        int addr_type; /* 0 public, 1 random static */
        unsigned pin;
        int sc; /* LE Secure Connections offered */
        int advertise;
        int connectable;
        int mtu;
        int security; /* 0 open, 1 encrypted, 2 authenticated */
        int cccd_security;
        int secreq;            /* send a Security Request on connection */
        int no_response_write; /* RX has write-without-response too */
        int uuid_in_adv;
        int mute;       /* take part in nothing above the link layer */
        int refuse;     /* SMP: reason to refuse pairing with, 0 none */
        int smp_silent; /* SMP: answer nothing */
        int smp_drop;   /* SMP: drop the link at the n-th PDU */
        int no_bond;    /* do not keep the keys */
        int echo;       /* RX write comes back as TX notification */
        int rssi;
        int adv_pause; /* ms without advertisements after a link */
        int interval;  /* ms between connection events; 0: everything takes the latency only */
        int per_event; /* packets in one of them */
        /* link */
        bool connected;
        long long event_due; /* the last connection event that has packets, and how many */
        int event_packets;
        u16 handle;
        bool encrypted, authenticated, key_sc;
        u8 acl[1024];
        size_t acl_got, acl_want;
        /* ATT */
        int att_mtu;
        u16 cccd_tx, cccd_sc;
        u8 prep[600];
        size_t prep_len;
        u16 prep_handle;
        /* SMP */
        int smp, smp_count, round;
        u8 preq[7], pres[7];
        u8 tk[16], mrand[16], srand_[16], mconf[16], sconf[16];
        u8 ltk[16];
        u8 pka[64], pkb[64], dhkey[32], mackey[16];
        EVP_PKEY *key;
        u8 key_dist_out, key_dist_in;
        bool pairing_sc;
        u8 irk[16];
        struct bond bonds[MAX_BONDS];
        /* controller's view: advertisements before then count as duplicates */
        long long quiet_until;
        long long silent_until; /* no advertisements before */
};

static struct radio radios[MAX_RADIOS];
static int vhci = -1;
static int clients[MAX_CLIENTS];
static char client_buf[MAX_CLIENTS][2048];
static size_t client_len[MAX_CLIENTS];
static u8 own_addr[6] = {0x01, 0x00, 0x00, 0xaa, 0x01, 0x00};
static u8 random_addr[6];
static const char *bond_file;
static int verbose;

static struct {
        bool scan, active, filter_dup;
        bool pending; /* LE Create Connection outstanding */
        bool use_list;
        u8 peer_type, peer[6], own_type;
        u16 interval, latency, timeout;
        struct {
                bool used;
                u8 type, addr[6];
        } list[16];
        long long next_adv;
        u16 next_handle;
} ctl;

static long long now_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void __attribute__((format(printf, 1, 2))) event(const char *fmt, ...) {
        char line[1400];
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(line, sizeof(line) - 2, fmt, ap);
        va_end(ap);
        if (n > (int) sizeof(line) - 3)
                n = sizeof(line) - 3;
        line[n++] = '\n';
        if (verbose)
                fprintf(stderr, "%lld.%03lld %.*s", now_ms() / 1000, now_ms() % 1000, n, line);
        for (int i = 0; i < MAX_CLIENTS; i++)
                if (clients[i] >= 0 && send(clients[i], line, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                        (void) 0; /* its hang-up is seen by poll */
}

static char *hex(const u8 *p, size_t n) {
        static char out[1300];
        size_t i;

        out[0] = 0;
        for (i = 0; i < n && i < 600; i++)
                sprintf(out + 2 * i, "%02x", p[i]);
        return out;
}

static char *addr_str(const u8 *a) {
        static char out[4][18];
        static int k;

        k = (k + 1) & 3;
        sprintf(out[k], "%02X:%02X:%02X:%02X:%02X:%02X", a[5], a[4], a[3], a[2], a[1], a[0]);
        return out[k];
}

static bool addr_parse(const char *s, u8 *a) {
        unsigned v[6];

        if (sscanf(s, "%x:%x:%x:%x:%x:%x", v, v + 1, v + 2, v + 3, v + 4, v + 5) != 6)
                return false;
        for (int i = 0; i < 6; i++)
                a[5 - i] = v[i];
        return true;
}

static int radio_index(const struct radio *r) {
        return r - radios;
}
static u16 le16(const u8 *p) {
        return p[0] | p[1] << 8;
}
static void put16(u8 *p, u16 v) {
        p[0] = v;
        p[1] = v >> 8;
}

static void fill_random(void *p, size_t n) {
        if (getrandom(p, n, 0) != (ssize_t) n)
                abort();
}

static void swap(u8 *dst, const u8 *src, size_t n) {
        for (size_t i = 0; i < n; i++)
                dst[i] = src[n - 1 - i];
}

/* ------------------------------------------- controller: towards the kernel */

static void to_host(const u8 *pkt, size_t n) {
        if (vhci >= 0 && write(vhci, pkt, n) < 0 && verbose)
                perror("vradio: /dev/vhci");
}

/*
 * What comes over the air takes a while: such packets wait in a queue, so that
 * the host meets them in the same order and about as late as with hardware.
 */
struct later {
        struct later *next;
        long long due;
        const struct radio *radio; /* data on its link; NULL: an event of the controller */
        size_t n;
        u8 pkt[5 + ACL_LEN + 9];
};
struct queue {
        struct later *first, **last;
};
static struct queue up = {.last = &up.first}, down = {.last = &down.first};
static int latency = 10;

static void later_add(struct queue *q, const struct radio *r, long long due, const u8 *pkt, size_t n) {
        struct later *l = calloc(1, sizeof(*l));

        l->due = due;
        l->radio = r;
        l->n = n;
        memcpy(l->pkt, pkt, n);
        *q->last = l;
        q->last = &l->next;
}

static void from_air(const u8 *pkt, size_t n) {
        later_add(&up, NULL, now_ms() + latency, pkt, n);
}

static int later_run(struct queue *q,
                     void (*take)(const u8 *pkt, size_t n)) /* returns ms until the next, or -1 */
{
        while (q->first) {
                struct later *l = q->first;
                long long wait = l->due - now_ms();

                if (wait > 0)
                        return wait;
                q->first = l->next;
                if (!q->first)
                        q->last = &q->first;
                take(l->pkt, l->n);
                free(l);
        }
        return -1;
}

/* Forgets what waits, or what waits of one link. */
static void later_clear(struct queue *q, const struct radio *r) {
        struct later **p = &q->first;

        while (*p) {
                struct later *l = *p;

                if (r && l->radio != r) {
                        p = &l->next;
                        continue;
                }
                *p = l->next;
                free(l);
        }
        q->last = p;
}

/* When the next packet to the host can go: so many fit into a connection event. */
static long long next_event(struct radio *r) {
        long long due;

        if (r->interval <= 0)
                return now_ms() + latency;

        due = (now_ms() / r->interval + 1) * r->interval;
        if (due > r->event_due) {
                r->event_due = due;
                r->event_packets = 0;
        }
        if (r->event_packets >= r->per_event) {
                r->event_due += r->interval;
                r->event_packets = 0;
        }
        r->event_packets++;
        return r->event_due;
}

static void hci_event(u8 code, const void *data, u8 len) {
        u8 pkt[260] = {0x04, code, len};
        bool air = code == 0x05 || code == 0x08 || code == 0x0c || code == 0x30 ||
                   (code == 0x3e && *(const u8 *) data != 0x02);

        memcpy(pkt + 3, data, len);
        if (air)
                from_air(pkt, len + 3);
        else
                to_host(pkt, len + 3);
}

static void cmd_done(u16 op, const void *ret, u8 len) {
        u8 d[255] = {1, op, op >> 8};

        memcpy(d + 3, ret, len);
        hci_event(0x0e, d, len + 3);
}

static void cmd_ok(u16 op) {
        cmd_done(op, "\0", 1);
}

static void cmd_status(u16 op, u8 status) {
        u8 d[4] = {status, 1, op, op >> 8};

        hci_event(0x0f, d, 4);
}

static void acl_to_host(struct radio *r, u16 cid, const u8 *data, size_t len) {
        u8 frame[1100], pkt[5 + ACL_LEN];
        size_t off, n;

        put16(frame, len);
        put16(frame + 2, cid);
        memcpy(frame + 4, data, len);
        len += 4;
        for (off = 0; off < len; off += n) {
                n = len - off < ACL_LEN ? len - off : ACL_LEN;
                pkt[0] = 0x02;
                put16(pkt + 1, r->handle | (off ? 0x1000 : 0x2000));
                put16(pkt + 3, n);
                memcpy(pkt + 5, frame + off, n);
                later_add(&up, r, next_event(r), pkt, n + 5);
        }
}

static void link_down(struct radio *r, u8 reason) {
        u8 d[4] = {0};

        if (!r->connected)
                return;
        put16(d + 1, r->handle);
        d[3] = reason;
        r->connected = false;
        r->encrypted = r->authenticated = false;
        r->smp = SMP_IDLE;
        r->quiet_until = 0;
        r->silent_until = now_ms() + r->adv_pause;
        /* out of reach: what waits for a connection event is lost */
        if (reason == 0x08 && r->interval > 0)
                later_clear(&up, r);
        later_clear(&down, r);
        hci_event(0x05, d, 4);
        event("! %d disconnected reason 0x%02x", radio_index(r), reason);
}

static void adv_report(struct radio *r, u8 type) {
        static const u8 nus_uuid[16] = {0x9e, 0xca, 0xdc, 0x24, 0x0e, 0xe5, 0xa9, 0xe0,
                                        0x93, 0xf3, 0xa3, 0xb5, 0x01, 0x00, 0x40, 0x6e};
        u8 d[64] = {0x02, 1, type, r->addr_type}, *p = d + 11;
        size_t n;

        memcpy(d + 4, r->addr, 6);
        if (type != 4) {
                *p++ = 2;
                *p++ = 0x01;
                *p++ = 0x06;
                if (r->uuid_in_adv) {
                        *p++ = 17;
                        *p++ = 0x07;
                        memcpy(p, nus_uuid, 16);
                        p += 16;
                }
        } else {
                n = strlen(r->name);
                *p++ = n + 1;
                *p++ = 0x09;
                memcpy(p, r->name, n);
                p += n;
        }
        d[10] = p - (d + 11);
        *p++ = r->rssi;
        hci_event(0x3e, d, p - d);
}

static void link_up(struct radio *r) {
        u8 d[19] = {0x01, 0};

        r->connected = true;
        r->handle = ctl.next_handle = ctl.next_handle % 0x0e00 + 1;
        r->encrypted = r->authenticated = false;
        r->att_mtu = 23;
        r->cccd_tx = r->cccd_sc = 0;
        r->prep_len = 0;
        r->acl_got = r->acl_want = 0;
        r->smp = SMP_IDLE;
        ctl.pending = false;
        put16(d + 2, r->handle);
        d[4] = 0;
        d[5] = r->addr_type;
        memcpy(d + 6, r->addr, 6);
        put16(d + 12, ctl.interval);
        put16(d + 14, ctl.latency);
        put16(d + 16, ctl.timeout);
        hci_event(0x3e, d, 19);
        event("! %d connected from %s", radio_index(r), addr_str(ctl.own_type & 1 ? random_addr : own_addr));
        if (r->secreq) {
                u8 sr[2] = {0x0b, 0x05 | (r->sc ? 8 : 0)};

                acl_to_host(r, 6, sr, 2);
        }
}

static bool wanted(struct radio *r) {
        if (!ctl.use_list)
                return ctl.peer_type == r->addr_type && !memcmp(ctl.peer, r->addr, 6);
        for (int i = 0; i < 16; i++)
                if (ctl.list[i].used && ctl.list[i].type == r->addr_type &&
                    !memcmp(ctl.list[i].addr, r->addr, 6))
                        return true;
        return false;
}

static void advertise(void) {
        for (struct radio *r = radios; r < radios + MAX_RADIOS; r++) {
                if (!r->present || !r->advertise || r->connected || now_ms() < r->silent_until)
                        continue;
                if (ctl.pending && r->connectable && wanted(r)) {
                        link_up(r);
                        continue;
                }
                if (!ctl.scan || (ctl.filter_dup && now_ms() < r->quiet_until))
                        continue;
                r->quiet_until = now_ms() + DUP_MS;
                adv_report(r, r->connectable ? 0x00 : 0x02);
                if (ctl.active)
                        adv_report(r, 0x04);
        }
}

static struct radio *by_handle(u16 h) {
        for (struct radio *r = radios; r < radios + MAX_RADIOS; r++)
                if (r->present && r->connected && r->handle == h)
                        return r;
        return NULL;
}

/* ------------------------------------------------------------ cryptography */

static void aes(const u8 key[16], const u8 in[16], u8 out[16]) /* MSB first */
{
        EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        int n;

        EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, key, NULL);
        EVP_CIPHER_CTX_set_padding(c, 0);
        EVP_EncryptUpdate(c, out, &n, in, 16);
        EVP_CIPHER_CTX_free(c);
}

static void cmac(const u8 key[16], const u8 *m, size_t len, u8 out[16]) {
        EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
        EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
        OSSL_PARAM p[] = {OSSL_PARAM_construct_utf8_string("cipher", "AES-128-CBC", 0),
                          OSSL_PARAM_construct_end()};
        size_t n;

        EVP_MAC_init(c, key, 16, p);
        EVP_MAC_update(c, m, len);
        EVP_MAC_final(c, out, &n, 16);
        EVP_MAC_CTX_free(c);
        EVP_MAC_free(mac);
}

/* The functions below take and give the little-endian order of SMP's PDUs. */

static void e_le(const u8 k[16], const u8 in[16], u8 out[16]) {
        u8 kk[16], ii[16], oo[16];

        swap(kk, k, 16);
        swap(ii, in, 16);
        aes(kk, ii, oo);
        swap(out, oo, 16);
}

static void smp_c1(struct radio *r, const u8 rnd[16], u8 out[16]) {
        u8 p1[16], p2[16], t[16];
        const u8 *ia = ctl.own_type & 1 ? random_addr : own_addr;
        int i;

        p1[0] = ctl.own_type & 1;
        p1[1] = r->addr_type;
        memcpy(p1 + 2, r->preq, 7);
        memcpy(p1 + 9, r->pres, 7);
        memcpy(p2, r->addr, 6);
        memcpy(p2 + 6, ia, 6);
        memset(p2 + 12, 0, 4);
        for (i = 0; i < 16; i++)
                t[i] = rnd[i] ^ p1[i];
        e_le(r->tk, t, t);
        for (i = 0; i < 16; i++)
                t[i] ^= p2[i];
        e_le(r->tk, t, out);
}

static void smp_s1(const u8 tk[16], const u8 r1[16], const u8 r2[16], u8 out[16]) {
        u8 t[16];

        memcpy(t, r2, 8);
        memcpy(t + 8, r1, 8);
        e_le(tk, t, out);
}

static void smp_f4(const u8 u[32], const u8 v[32], const u8 x[16], u8 z, u8 out[16]) {
        u8 m[65], k[16], t[16];

        swap(m, u, 32);
        swap(m + 32, v, 32);
        m[64] = z;
        swap(k, x, 16);
        cmac(k, m, 65, t);
        swap(out, t, 16);
}

static void smp_f5(const u8 w[32], const u8 n1[16], const u8 n2[16], const u8 a1[7], const u8 a2[7],
                   u8 mackey[16], u8 ltk[16]) {
        static const u8 salt[16] = {0x6c, 0x88, 0x83, 0x91, 0xaa, 0xf5, 0xa5, 0x38,
                                    0x60, 0x37, 0x0b, 0xdb, 0x5a, 0x60, 0x83, 0xbe};
        u8 m[53], ws[32], t[16], o[16];

        swap(ws, w, 32);
        cmac(salt, ws, 32, t);
        memcpy(m + 1, "btle", 4);
        swap(m + 5, n1, 16);
        swap(m + 21, n2, 16);
        swap(m + 37, a1, 7);
        swap(m + 44, a2, 7);
        m[51] = 0x01;
        m[52] = 0x00;
        m[0] = 0;
        cmac(t, m, 53, o);
        swap(mackey, o, 16);
        m[0] = 1;
        cmac(t, m, 53, o);
        swap(ltk, o, 16);
}

static void smp_f6(const u8 w[16], const u8 n1[16], const u8 n2[16], const u8 rr[16], const u8 io[3],
                   const u8 a1[7], const u8 a2[7], u8 out[16]) {
        u8 m[65], k[16], t[16];

        swap(m, n1, 16);
        swap(m + 16, n2, 16);
        swap(m + 32, rr, 16);
        swap(m + 48, io, 3);
        swap(m + 51, a1, 7);
        swap(m + 58, a2, 7);
        swap(k, w, 16);
        cmac(k, m, 65, t);
        swap(out, t, 16);
}

static bool p256_new(struct radio *r) {
        u8 pub[65];
        size_t n;

        EVP_PKEY_free(r->key);
        r->key = EVP_EC_gen("P-256");
        if (!r->key ||
            !EVP_PKEY_get_octet_string_param(r->key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, pub, sizeof(pub),
                                             &n) ||
            n != 65)
                return false;
        swap(r->pkb, pub + 1, 32);
        swap(r->pkb + 32, pub + 33, 32);
        return true;
}

static bool p256_shared(struct radio *r) {
        u8 pub[65] = {4}, z[32];
        char group[] = "P-256";
        OSSL_PARAM p[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                          OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, pub, 65),
                          OSSL_PARAM_construct_end()};
        EVP_PKEY_CTX *c;
        EVP_PKEY *peer = NULL;
        size_t n = 32;
        bool ok;

        swap(pub + 1, r->pka, 32);
        swap(pub + 33, r->pka + 32, 32);
        c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        ok = EVP_PKEY_fromdata_init(c) > 0 && EVP_PKEY_fromdata(c, &peer, EVP_PKEY_PUBLIC_KEY, p) > 0;
        EVP_PKEY_CTX_free(c);
        if (!ok)
                return false;
        c = EVP_PKEY_CTX_new(r->key, NULL);
        ok = EVP_PKEY_derive_init(c) > 0 && EVP_PKEY_derive_set_peer(c, peer) > 0 &&
             EVP_PKEY_derive(c, z, &n) > 0;
        EVP_PKEY_CTX_free(c);
        EVP_PKEY_free(peer);
        swap(r->dhkey, z, 32);
        return ok;
}

/* -------------------------------------------------------------------- bonds */

static void bonds_save(void) {
        FILE *f;

        if (!bond_file || !(f = fopen(bond_file, "w")))
                return;
        for (struct radio *r = radios; r < radios + MAX_RADIOS; r++)
                for (int i = 0; i < MAX_BONDS; i++)
                        if (r->bonds[i].used)
                                fprintf(f, "%d %s\n", radio_index(r),
                                        hex((u8 *) &r->bonds[i], sizeof(struct bond)));
        fclose(f);
}

static void bonds_load(void) {
        char line[1024], h[1024];
        FILE *f;
        int n, k;

        if (!bond_file || !(f = fopen(bond_file, "r")))
                return;
        while (fgets(line, sizeof(line), f))
                if (sscanf(line, "%d %1000s", &n, h) == 2 && n >= 0 && n < MAX_RADIOS &&
                    strlen(h) == 2 * sizeof(struct bond))
                        for (k = 0; k < MAX_BONDS; k++)
                                if (!radios[n].bonds[k].used) {
                                        for (size_t j = 0; j < sizeof(struct bond); j++)
                                                sscanf(h + 2 * j, "%2hhx", (u8 *) &radios[n].bonds[k] + j);
                                        break;
                                }
        fclose(f);
}

static void bond_add(struct radio *r, bool sc, const u8 *ltk, u16 ediv, const u8 *rnd) {
        const u8 *peer = ctl.own_type & 1 ? random_addr : own_addr;
        struct bond *b = NULL;
        int i;

        for (i = 0; i < MAX_BONDS && !b; i++)
                if (r->bonds[i].used && !memcmp(r->bonds[i].peer, peer, 6))
                        b = &r->bonds[i];
        for (i = 0; i < MAX_BONDS && !b; i++)
                if (!r->bonds[i].used)
                        b = &r->bonds[i];
        if (!b)
                b = &r->bonds[0];
        memset(b, 0, sizeof(*b));
        b->used = true;
        b->sc = sc;
        b->peer_type = ctl.own_type & 1;
        memcpy(b->peer, peer, 6);
        memcpy(b->ltk, ltk, 16);
        b->ediv = ediv;
        memcpy(b->rand, rnd, 8);
        bonds_save();
}

/* ---------------------------------------------------------------------- SMP */

static const u8 zero[16];

static void smp_send(struct radio *r, u8 code, const void *data, size_t n) {
        u8 d[80] = {code};

        memcpy(d + 1, data, n);
        acl_to_host(r, 6, d, n + 1);
}

static void smp_fail(struct radio *r, u8 reason) {
        smp_send(r, 0x05, &reason, 1);
        r->smp = SMP_IDLE;
        event("! %d pairing failed here 0x%02x", radio_index(r), reason);
}

static void smp_addrs(struct radio *r, u8 a[7], u8 b[7]) {
        memcpy(a, ctl.own_type & 1 ? random_addr : own_addr, 6);
        a[6] = ctl.own_type & 1;
        memcpy(b, r->addr, 6);
        b[6] = r->addr_type;
}

static void smp_keys_done(struct radio *r) {
        r->smp = SMP_IDLE;
        event("! %d paired %s", radio_index(r), r->pairing_sc ? "sc" : "legacy");
}

/* Called when the link became encrypted in the course of pairing. */
static void smp_distribute(struct radio *r) {
        u8 ident[7], master[10];

        r->smp = SMP_KEYS;
        if (r->pairing_sc) {
                if (!r->no_bond)
                        bond_add(r, true, r->ltk, 0, zero);
        } else if (r->key_dist_out & 1) {
                u8 ltk[16];

                fill_random(ltk, 16);
                fill_random(master, 10);
                smp_send(r, 0x06, ltk, 16);
                smp_send(r, 0x07, master, 10);
                if (!r->no_bond)
                        bond_add(r, false, ltk, le16(master), master + 2);
        }
        if (r->key_dist_out & 2) {
                ident[0] = r->addr_type;
                memcpy(ident + 1, r->addr, 6);
                smp_send(r, 0x08, r->irk, 16);
                smp_send(r, 0x09, ident, 7);
        }
        if (!r->key_dist_in)
                smp_keys_done(r);
}

static void smp_sc_confirm(struct radio *r) /* ours, for this round */
{
        u8 z = 0x80 | (r->pin >> r->round & 1);

        fill_random(r->srand_, 16);
        smp_f4(r->pkb, r->pka, r->srand_, z, r->sconf);
        smp_send(r, 0x03, r->sconf, 16);
}

static void smp_pdu(struct radio *r, const u8 *d, size_t n) {
        u8 t[16], a[7], b[7];
        static const size_t want[] = {0, 7, 7, 17, 17, 2, 17, 11, 17, 8, 17, 2, 65, 17, 2};

        if (!n || d[0] >= sizeof(want) / sizeof(*want) || n != want[d[0]] || r->smp_silent)
                return;
        if (r->smp_drop && ++r->smp_count >= r->smp_drop) {
                link_down(r, 0x08);
                return;
        }
        switch (d[0]) {
        case 0x01: /* Pairing Request */
                event("! %d pairing request io %u auth 0x%02x", radio_index(r), d[1], d[3]);
                if (r->refuse) {
                        smp_fail(r, r->refuse);
                        return;
                }
                memcpy(r->preq, d, 7);
                r->pairing_sc = r->sc && (d[3] & 0x08);
                if (d[1] != 2 && d[1] != 4) { /* the other side has no keyboard */
                        smp_fail(r, 0x03);
                        return;
                }
                r->pres[0] = 0x02;
                r->pres[1] = 0x00; /* DisplayOnly */
                r->pres[2] = 0x00;
                r->pres[3] = 0x05 | (r->sc ? 0x08 : 0);
                r->pres[4] = 16;
                r->pres[5] = d[5] & (r->pairing_sc ? 0x02 : 0x03);
                r->pres[6] = d[6] & (r->pairing_sc ? 0x02 : 0x03);
                r->key_dist_in = r->pres[5];
                r->key_dist_out = r->pres[6];
                memset(r->tk, 0, 16);
                for (int i = 0; i < 4; i++)
                        r->tk[i] = r->pin >> 8 * i;
                r->round = 0;
                r->smp = r->pairing_sc ? SMP_PUBKEY : SMP_CONFIRM;
                acl_to_host(r, 6, r->pres, 7);
                event("! %d passkey %06u", radio_index(r), r->pin);
                return;
        case 0x05:
                event("! %d pairing failed there 0x%02x", radio_index(r), d[1]);
                r->smp = SMP_IDLE;
                return;
        case 0x0c: /* Public Key */
                if (r->smp != SMP_PUBKEY)
                        break;
                memcpy(r->pka, d + 1, 64);
                if (!p256_new(r) || !p256_shared(r)) {
                        smp_fail(r, 0x08);
                        return;
                }
                smp_send(r, 0x0c, r->pkb, 64);
                r->smp = SMP_CONFIRM;
                return;
        case 0x03: /* Confirm */
                if (r->smp != SMP_CONFIRM)
                        break;
                memcpy(r->mconf, d + 1, 16);
                if (r->pairing_sc) {
                        smp_sc_confirm(r);
                } else {
                        fill_random(r->srand_, 16);
                        smp_c1(r, r->srand_, r->sconf);
                        smp_send(r, 0x03, r->sconf, 16);
                }
                r->smp = SMP_RANDOM;
                return;
        case 0x04: /* Random */
                if (r->smp != SMP_RANDOM)
                        break;
                memcpy(r->mrand, d + 1, 16);
                if (!r->pairing_sc) {
                        smp_c1(r, r->mrand, t);
                        if (memcmp(t, r->mconf, 16)) {
                                smp_fail(r, 0x04);
                                return;
                        }
                        smp_send(r, 0x04, r->srand_, 16);
                        smp_s1(r->tk, r->srand_, r->mrand, r->ltk);
                        r->smp = SMP_ENCRYPT;
                        return;
                }
                smp_f4(r->pka, r->pkb, r->mrand, 0x80 | (r->pin >> r->round & 1), t);
                if (memcmp(t, r->mconf, 16)) {
                        smp_fail(r, 0x04);
                        return;
                }
                smp_send(r, 0x04, r->srand_, 16);
                if (++r->round < 20) {
                        r->smp = SMP_CONFIRM;
                        return;
                }
                smp_addrs(r, a, b);
                smp_f5(r->dhkey, r->mrand, r->srand_, a, b, r->mackey, r->ltk);
                r->smp = SMP_DHCHECK;
                return;
        case 0x0d: /* DHKey Check */
                if (r->smp != SMP_DHCHECK)
                        break;
                smp_addrs(r, a, b);
                smp_f6(r->mackey, r->mrand, r->srand_, r->tk, r->preq + 1, a, b, t);
                if (memcmp(t, d + 1, 16)) {
                        smp_fail(r, 0x0b);
                        return;
                }
                smp_f6(r->mackey, r->srand_, r->mrand, r->tk, r->pres + 1, b, a, t);
                smp_send(r, 0x0d, t, 16);
                r->smp = SMP_ENCRYPT;
                return;
        case 0x06:
        case 0x08:
                return;
        case 0x07:
                r->key_dist_in &= ~1;
                goto dist;
        case 0x09:
                r->key_dist_in &= ~2;
        dist:
                if (r->smp == SMP_KEYS && !r->key_dist_in)
                        smp_keys_done(r);
                return;
        case 0x0e:
                return;
        }
        smp_fail(r, 0x08);
}

/* LE Start Encryption of the host: do we hold the same key? */
static void start_encryption(struct radio *r, const u8 *rnd, u16 ediv, const u8 *ltk) {
        u8 d[4] = {0};
        const u8 *key = NULL;
        bool pairing = r->smp == SMP_ENCRYPT;

        if (pairing) {
                key = r->ltk;
        } else {
                const u8 *peer = ctl.own_type & 1 ? random_addr : own_addr;

                for (int i = 0; i < MAX_BONDS && !key; i++) {
                        struct bond *b = &r->bonds[i];

                        if (b->used && !memcmp(b->peer, peer, 6) &&
                            (b->sc ? !ediv : b->ediv == ediv && !memcmp(b->rand, rnd, 8))) {
                                key = b->ltk;
                                r->key_sc = b->sc;
                        }
                }
        }
        if (!key) {
                d[0] = 0x06; /* PIN or Key Missing */
                put16(d + 1, r->handle);
                hci_event(0x08, d, 4);
                event("! %d key missing", radio_index(r));
                return;
        }
        if (memcmp(key, ltk, 16)) {
                event("! %d key differs", radio_index(r));
                link_down(r, 0x3d); /* MIC failure */
                return;
        }
        put16(d + 1, r->handle);
        d[3] = 0x01;
        hci_event(r->encrypted ? 0x30 : 0x08, d, r->encrypted ? 3 : 4);
        r->encrypted = r->authenticated = true;
        event("! %d encrypted %s", radio_index(r), pairing ? "new" : "bonded");
        if (pairing)
                smp_distribute(r);
}

/* ---------------------------------------------------------------------- ATT */

enum {
        H_GAP = 1,
        H_NAME_C,
        H_NAME,
        H_APPEAR_C,
        H_APPEAR,
        H_GATT,
        H_CHANGED_C,
        H_CHANGED,
        H_CHANGED_CCC,
        H_NUS,
        H_RX_C,
        H_RX,
        H_TX_C,
        H_TX,
        H_TX_CCC,
        H_END
};

static size_t uuid_nus(u8 *p, u8 n) {
        static const u8 base[16] = {0x9e, 0xca, 0xdc, 0x24, 0x0e, 0xe5, 0xa9, 0xe0,
                                    0x93, 0xf3, 0xa3, 0xb5, 0x00, 0x00, 0x40, 0x6e};
        memcpy(p, base, 16);
        p[12] = n;
        return 16;
}

static size_t uuid16(u8 *p, u16 v) {
        put16(p, v);
        return 2;
}

static size_t att_type(u16 h, u8 *p) {
        switch (h) {
        case H_GAP:
        case H_GATT:
        case H_NUS:
                return uuid16(p, 0x2800);
        case H_NAME_C:
        case H_APPEAR_C:
        case H_CHANGED_C:
        case H_RX_C:
        case H_TX_C:
                return uuid16(p, 0x2803);
        case H_NAME:
                return uuid16(p, 0x2a00);
        case H_APPEAR:
                return uuid16(p, 0x2a01);
        case H_CHANGED:
                return uuid16(p, 0x2a05);
        case H_CHANGED_CCC:
        case H_TX_CCC:
                return uuid16(p, 0x2902);
        case H_RX:
                return uuid_nus(p, 2);
        case H_TX:
                return uuid_nus(p, 3);
        }
        return 0;
}

static size_t att_char(u8 *p, u8 props, u16 h) {
        p[0] = props;
        put16(p + 1, h);
        return 3 + att_type(h, p + 3);
}

static size_t att_value(struct radio *r, u16 h, u8 *p) {
        switch (h) {
        case H_GAP:
                return uuid16(p, 0x1800);
        case H_GATT:
                return uuid16(p, 0x1801);
        case H_NUS:
                return uuid_nus(p, 1);
        case H_NAME_C:
                return att_char(p, 0x02, H_NAME);
        case H_APPEAR_C:
                return att_char(p, 0x02, H_APPEAR);
        case H_CHANGED_C:
                return att_char(p, 0x20, H_CHANGED);
        case H_RX_C:
                return att_char(p, r->no_response_write ? 0x0c : 0x08, H_RX);
        case H_TX_C:
                return att_char(p, 0x12, H_TX);
        case H_NAME:
                memcpy(p, r->name, strlen(r->name));
                return strlen(r->name);
        case H_APPEAR:
                return uuid16(p, 0);
        case H_CHANGED_CCC:
                return uuid16(p, r->cccd_sc);
        case H_TX_CCC:
                return uuid16(p, r->cccd_tx);
        }
        return 0;
}

static u8 att_access(struct radio *r, u16 h) {
        int need = h == H_RX || h == H_TX ? r->security : h == H_TX_CCC ? r->cccd_security : 0;

        if (need >= 1 && !r->encrypted)
                return 0x05; /* Insufficient Authentication: no key for this link */
        if (need >= 2 && !r->authenticated)
                return 0x05;
        return 0;
}

static void att_send(struct radio *r, const u8 *d, size_t n) {
        acl_to_host(r, 4, d, n);
}

static void att_error(struct radio *r, u8 op, u16 h, u8 code) {
        u8 d[5] = {0x01, op, h, h >> 8, code};

        att_send(r, d, 5);
}

static int notify(struct radio *r, const u8 *data, size_t n) {
        u8 d[600] = {0x1b, H_TX, 0};

        if (!r->connected || !(r->cccd_tx & 1))
                return -1;
        if (n > (size_t) r->att_mtu - 3)
                n = r->att_mtu - 3;
        memcpy(d + 3, data, n);
        att_send(r, d, n + 3);
        return n;
}

static u8 att_write(struct radio *r, u16 h, const u8 *p, size_t n) {
        u8 e = att_access(r, h);

        if (e)
                return e;
        switch (h) {
        case H_RX:
                event("! %d rx %s", radio_index(r), hex(p, n));
                if (r->echo)
                        notify(r, p, n);
                return 0;
        case H_TX_CCC:
        case H_CHANGED_CCC:
                if (n != 2)
                        return 0x0d;
                *(h == H_TX_CCC ? &r->cccd_tx : &r->cccd_sc) = le16(p);
                if (h == H_TX_CCC)
                        event("! %d subscribed %d", radio_index(r), le16(p));
                return 0;
        }
        return 0x03;
}

static void att_pdu(struct radio *r, const u8 *d, size_t n) {
        u8 o[600], type[16], val[64], e;
        size_t len, want = 0, tl, vl;
        u16 h, from, to;

        if (n < 1)
                return;
        switch (d[0]) {
        case 0x02: /* Exchange MTU */
                if (n != 3)
                        break;
                o[0] = 0x03;
                put16(o + 1, r->mtu);
                att_send(r, o, 3);
                r->att_mtu = le16(d + 1) < r->mtu ? le16(d + 1) : r->mtu;
                if (r->att_mtu < 23)
                        r->att_mtu = 23;
                event("! %d mtu %d", radio_index(r), r->att_mtu);
                return;
        case 0x04: /* Find Information */
                if (n != 5)
                        break;
                from = le16(d + 1);
                to = le16(d + 3);
                len = 2;
                for (h = from ? from : 1; h < H_END && h <= to; h++) {
                        tl = att_type(h, type);
                        if (want && tl != want)
                                break;
                        if (len + 2 + tl > (size_t) r->att_mtu)
                                break;
                        want = tl;
                        put16(o + len, h);
                        memcpy(o + len + 2, type, tl);
                        len += 2 + tl;
                }
                if (!want) {
                        att_error(r, d[0], from, 0x0a);
                        return;
                }
                o[0] = 0x05;
                o[1] = want == 2 ? 1 : 2;
                att_send(r, o, len);
                return;
        case 0x06: /* Find By Type Value: primary service by UUID */
                if (n < 7)
                        break;
                from = le16(d + 1);
                to = le16(d + 3);
                len = 1;
                for (h = from; h < H_END && h <= to && le16(d + 5) == 0x2800; h++) {
                        static const u16 last[] = {
                                        [H_GAP] = H_APPEAR, [H_GATT] = H_CHANGED_CCC, [H_NUS] = 0xffff};

                        if (h != H_GAP && h != H_GATT && h != H_NUS)
                                continue;
                        vl = att_value(r, h, val);
                        if (vl != n - 7 || memcmp(val, d + 7, vl))
                                continue;
                        put16(o + len, h);
                        put16(o + len + 2, last[h]);
                        len += 4;
                }
                if (len == 1) {
                        att_error(r, d[0], from, 0x0a);
                        return;
                }
                o[0] = 0x07;
                att_send(r, o, len);
                return;
        case 0x08: /* Read By Type */
                if (n != 7 && n != 21)
                        break;
                from = le16(d + 1);
                to = le16(d + 3);
                len = 2;
                for (h = from; h < H_END && h <= to; h++) {
                        tl = att_type(h, type);
                        if (tl != n - 5 || memcmp(type, d + 5, tl))
                                continue;
                        if ((e = att_access(r, h))) {
                                if (!want) {
                                        att_error(r, d[0], h, e);
                                        return;
                                }
                                break;
                        }
                        vl = att_value(r, h, val);
                        if (want && vl + 2 != want)
                                break;
                        if (len + 2 + vl > (size_t) r->att_mtu) {
                                if (want)
                                        break;
                                vl = r->att_mtu - 4;
                        }
                        want = vl + 2;
                        put16(o + len, h);
                        memcpy(o + len + 2, val, vl);
                        len += want;
                }
                if (!want) {
                        att_error(r, d[0], from, 0x0a);
                        return;
                }
                o[0] = 0x09;
                o[1] = want;
                att_send(r, o, len);
                return;
        case 0x0a: /* Read, Read Blob */
        case 0x0c:
                if (n < 3)
                        break;
                h = le16(d + 1);
                if (!h || h >= H_END || h == H_RX || h == H_CHANGED) {
                        att_error(r, d[0], h, !h || h >= H_END ? 0x01 : 0x02);
                        return;
                }
                if ((e = att_access(r, h))) {
                        att_error(r, d[0], h, e);
                        return;
                }
                vl = att_value(r, h, val);
                from = d[0] == 0x0c && n == 5 ? le16(d + 3) : 0;
                if (from > vl) {
                        att_error(r, d[0], h, 0x07);
                        return;
                }
                len = vl - from < (size_t) r->att_mtu - 1 ? vl - from : (size_t) r->att_mtu - 1;
                o[0] = d[0] + 1;
                memcpy(o + 1, val + from, len);
                att_send(r, o, len + 1);
                return;
        case 0x10: /* Read By Group Type */
                if (n != 7)
                        break;
                from = le16(d + 1);
                to = le16(d + 3);
                len = 2;
                for (h = from; h < H_END && h <= to && le16(d + 5) == 0x2800; h++) {
                        if (h != H_GAP && h != H_GATT && h != H_NUS)
                                continue;
                        vl = att_value(r, h, val);
                        if ((want && vl + 4 != want) || len + 4 + vl > (size_t) r->att_mtu)
                                break;
                        want = vl + 4;
                        put16(o + len, h);
                        put16(o + len + 2, h == H_GAP ? H_APPEAR : h == H_GATT ? H_CHANGED_CCC : 0xffff);
                        memcpy(o + len + 4, val, vl);
                        len += want;
                }
                if (!want) {
                        att_error(r, d[0], from, 0x0a);
                        return;
                }
                o[0] = 0x11;
                o[1] = want;
                att_send(r, o, len);
                return;
        case 0x12: /* Write */
                if (n < 3)
                        break;
                h = le16(d + 1);
                e = att_write(r, h, d + 3, n - 3);
                if (e) {
                        att_error(r, d[0], h, e);
                } else {
                        o[0] = 0x13;
                        att_send(r, o, 1);
                }
                return;
        case 0x52: /* Write Command */
                if (n >= 3 && r->no_response_write)
                        att_write(r, le16(d + 1), d + 3, n - 3);
                return;
        case 0x16: /* Prepare Write */
                if (n < 5)
                        break;
                h = le16(d + 1);
                if ((e = att_access(r, h)) || le16(d + 3) + n - 5 > sizeof(r->prep)) {
                        att_error(r, d[0], h, e ? e : 0x09);
                        return;
                }
                r->prep_handle = h;
                memcpy(r->prep + le16(d + 3), d + 5, n - 5);
                r->prep_len = le16(d + 3) + n - 5;
                memcpy(o, d, n);
                o[0] = 0x17;
                att_send(r, o, n);
                return;
        case 0x18: /* Execute Write */
                e = n == 2 && d[1] && r->prep_len ? att_write(r, r->prep_handle, r->prep, r->prep_len) : 0;
                r->prep_len = 0;
                if (e) {
                        att_error(r, d[0], r->prep_handle, e);
                } else {
                        o[0] = 0x19;
                        att_send(r, o, 1);
                }
                return;
        case 0x1e: /* Confirmation */
                return;
        default:
                if (d[0] & 0x40)
                        return;
                att_error(r, d[0], 0, 0x06);
                return;
        }
        att_error(r, d[0], 0, 0x04);
}

/* ------------------------------------------------------------ ACL and L2CAP */

static void acl_to_radio(const u8 *pkt, size_t n) {
        u8 done[5] = {1};
        struct radio *r;
        u16 cid;
        size_t len;

        if (n < 5)
                return;
        r = by_handle(le16(pkt + 1) & 0xfff);
        put16(done + 1, le16(pkt + 1) & 0xfff);
        put16(done + 3, 1);
        hci_event(0x13, done, 5);
        if (!r)
                return;
        if ((le16(pkt + 1) >> 12 & 3) != 1)
                r->acl_got = 0;
        if (r->acl_got + n - 5 > sizeof(r->acl)) {
                r->acl_got = 0;
                return;
        }
        memcpy(r->acl + r->acl_got, pkt + 5, n - 5);
        r->acl_got += n - 5;
        if (r->acl_got < 4 || r->acl_got < 4u + le16(r->acl))
                return;
        len = le16(r->acl);
        cid = le16(r->acl + 2);
        r->acl_got = 0;
        if (r->mute)
                return;
        if (cid == 4) {
                att_pdu(r, r->acl + 4, len);
        } else if (cid == 6) {
                smp_pdu(r, r->acl + 4, len);
        } else if (cid == 5 && len >= 4 && !(r->acl[4] & 1)) {
                u8 rej[6] = {0x01, r->acl[5], 2, 0, 0, 0}; /* Command Reject */

                acl_to_host(r, 5, rej, 6);
        }
}

static void acl_from_host(const u8 *pkt, size_t n) {
        struct radio *r = n >= 5 ? by_handle(le16(pkt + 1) & 0xfff) : NULL;

        if (r && r->interval > 0 && n <= sizeof(((struct later *) 0)->pkt))
                later_add(&down, r, (now_ms() / r->interval + 1) * r->interval, pkt, n);
        else
                acl_to_radio(pkt, n);
}

/* ------------------------------------------- controller: HCI commands */

static void cmd(u16 op, const u8 *p, size_t n) {
        u8 d[255] = {0};
        struct radio *r;
        int i;

        switch (op) {
        case 0x0c03: /* Reset */
                for (i = 0; i < MAX_RADIOS; i++) {
                        if (radios[i].connected)
                                event("! %d disconnected reason 0x08", i);
                        radios[i].connected = radios[i].encrypted = false;
                }
                memset(&ctl, 0, sizeof(ctl));
                later_clear(&up, NULL);
                later_clear(&down, NULL);
                cmd_ok(op);
                return;
        case 0x1001: /* Read Local Version: 4.2, a test manufacturer id */
                d[1] = 8;
                put16(d + 2, 0);
                d[4] = 8;
                put16(d + 5, 0xffff);
                cmd_done(op, d, 9);
                return;
        case 0x1002: /* Read Local Supported Commands */
                d[1 + 0] = 0x20;
                d[1 + 2] = 0x80;
                d[1 + 5] = 0xc0;
                d[1 + 14] = 0x38;
                d[1 + 15] = 0x02;
                d[1 + 25] = 0xf7;
                d[1 + 26] = 0xff;
                d[1 + 27] = 0xe7;
                d[1 + 28] = 0x0f;
                cmd_done(op, d, 65);
                return;
        case 0x1003: /* Read Local Features: LE, no BR/EDR */
                d[1 + 4] = 0x60;
                cmd_done(op, d, 9);
                return;
        case 0x1005: /* Read Buffer Size */
                put16(d + 1, ACL_LEN);
                put16(d + 4, ACL_PKTS);
                cmd_done(op, d, 8);
                return;
        case 0x1009:
                memcpy(d + 1, own_addr, 6);
                cmd_done(op, d, 7);
                return;
        case 0x2002: /* LE Read Buffer Size */
                put16(d + 1, ACL_LEN);
                d[3] = ACL_PKTS;
                cmd_done(op, d, 4);
                return;
        case 0x2003: /* LE features: encryption, peripheral feature exchange */
                d[1] = 0x09;
                cmd_done(op, d, 9);
                return;
        case 0x2007:
                cmd_done(op, d, 2);
                return;
        case 0x200f:
                d[1] = 16;
                cmd_done(op, d, 2);
                return;
        case 0x201c: /* LE Supported States */
                memset(d + 1, 0xff, 5);
                d[6] = 0x03;
                cmd_done(op, d, 9);
                return;
        case 0x2018: /* LE Rand */
                fill_random(d + 1, 8);
                cmd_done(op, d, 9);
                return;
        case 0x2005:
                if (n >= 6)
                        memcpy(random_addr, p, 6);
                cmd_ok(op);
                return;
        case 0x200b: /* LE Set Scan Parameters */
                ctl.active = n >= 1 && p[0] == 1;
                cmd_ok(op);
                return;
        case 0x200c: /* LE Set Scan Enable */
                ctl.scan = n >= 1 && p[0];
                ctl.filter_dup = n >= 2 && p[1];
                for (i = 0; i < MAX_RADIOS; i++)
                        radios[i].quiet_until = 0;
                ctl.next_adv = now_ms() + ADV_MS;
                cmd_ok(op);
                return;
        case 0x200d: /* LE Create Connection */
                if (n < 25 || ctl.pending) {
                        cmd_status(op, 0x0c);
                        return;
                }
                ctl.pending = true;
                ctl.use_list = p[4];
                ctl.peer_type = p[5];
                memcpy(ctl.peer, p + 6, 6);
                ctl.own_type = p[12];
                ctl.interval = le16(p + 15);
                ctl.latency = le16(p + 17);
                ctl.timeout = le16(p + 19);
                cmd_status(op, 0);
                return;
        case 0x200e: /* LE Create Connection Cancel */
                if (!ctl.pending) {
                        cmd_done(op, "\x0c", 1);
                        return;
                }
                ctl.pending = false;
                cmd_ok(op);
                d[0] = 0x01;
                d[1] = 0x02;
                d[5] = ctl.peer_type;
                memcpy(d + 6, ctl.peer, 6);
                hci_event(0x3e, d, 19);
                return;
        case 0x2010:
                memset(ctl.list, 0, sizeof(ctl.list));
                cmd_ok(op);
                return;
        case 0x2011: /* Accept list: add */
                for (i = 0; i < 16; i++)
                        if (!ctl.list[i].used) {
                                ctl.list[i].used = true;
                                ctl.list[i].type = p[0];
                                memcpy(ctl.list[i].addr, p + 1, 6);
                                break;
                        }
                cmd_done(op, i < 16 ? "\0" : "\x07", 1);
                return;
        case 0x2012: /* Accept list: remove */
                for (i = 0; i < 16; i++)
                        if (ctl.list[i].used && ctl.list[i].type == p[0] &&
                            !memcmp(ctl.list[i].addr, p + 1, 6))
                                ctl.list[i].used = false;
                cmd_ok(op);
                return;
        case 0x2013: /* LE Connection Update */
                cmd_status(op, 0);
                d[0] = 0x03;
                memcpy(d + 2, p, 2);
                memcpy(d + 4, p + 4, 6);
                hci_event(0x3e, d, 10);
                return;
        case 0x2016: /* LE Read Remote Features */
                cmd_status(op, 0);
                d[0] = 0x04;
                memcpy(d + 2, p, 2);
                d[4] = 0x09;
                hci_event(0x3e, d, 12);
                return;
        case 0x2019: /* LE Start Encryption */
                r = n >= 28 ? by_handle(le16(p)) : NULL;
                cmd_status(op, r ? 0 : 0x02);
                if (r)
                        start_encryption(r, p + 2, le16(p + 10), p + 12);
                return;
        case 0x041d: /* Read Remote Version */
                cmd_status(op, 0);
                memcpy(d + 1, p, 2);
                d[3] = 8;
                put16(d + 4, 0xffff);
                hci_event(0x0c, d, 8);
                return;
        case 0x0406: /* Disconnect */
                r = n >= 3 ? by_handle(le16(p)) : NULL;
                cmd_status(op, r ? 0 : 0x02);
                if (r)
                        link_down(r, 0x16);
                return;
        case 0x0c01:
        case 0x0c63:
        case 0x2001:
        case 0x2006:
        case 0x2008:
        case 0x2009:
        case 0x200a:
                cmd_ok(op);
                return;
        }
        if (verbose)
                fprintf(stderr, "vradio: no such command 0x%04x\n", op);
        cmd_status(op, 0x01);
}

static bool adapter_add(void) {
        u8 req[2] = {0xff, 0x00};

        vhci = open("/dev/vhci", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (vhci < 0 || write(vhci, req, 2) != 2) {
                perror("vradio: /dev/vhci");
                return false;
        }
        return true;
}

static void adapter_remove(void) {
        for (int i = 0; i < MAX_RADIOS; i++)
                radios[i].connected = radios[i].encrypted = false;
        memset(&ctl, 0, sizeof(ctl));
        later_clear(&up, NULL);
        later_clear(&down, NULL);
        if (vhci >= 0)
                close(vhci);
        vhci = -1;
}

/* ----------------------------------------------------------------- control */

static const struct {
        const char *name;
        size_t off;
} settings[] = {
#define S(n, f) \
        { n, offsetof(struct radio, f) }
                S("type", addr_type),
                S("pin", pin),
                S("sc", sc),
                S("advertise", advertise),
                S("connectable", connectable),
                S("mtu", mtu),
                S("security", security),
                S("cccd-security", cccd_security),
                S("secreq", secreq),
                S("no-response-write", no_response_write),
                S("uuid-in-adv", uuid_in_adv),
                S("mute", mute),
                S("refuse", refuse),
                S("smp-silent", smp_silent),
                S("smp-drop", smp_drop),
                S("no-bond", no_bond),
                S("echo", echo),
                S("rssi", rssi),
                S("adv-pause", adv_pause),
                S("interval", interval),
                S("per-event", per_event),
#undef S
};

static bool radio_set(struct radio *r, const char *key, const char *value) {
        if (!strcmp(key, "name")) {
                snprintf(r->name, sizeof(r->name), "%s", value);
                r->quiet_until = 0;
                return true;
        }
        if (!strcmp(key, "addr"))
                return addr_parse(value, r->addr);
        for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
                if (!strcmp(key, settings[i].name)) {
                        /* pins may have leading zeros: always decimal unless 0x */
                        *(int *) ((char *) r + settings[i].off) =
                                        strtol(value, NULL, strncmp(value, "0x", 2) ? 10 : 16);
                        r->quiet_until = 0;
                        r->smp_count = 0;
                        return true;
                }
        return false;
}

static struct radio *radio_new(void) {
        for (struct radio *r = radios; r < radios + MAX_RADIOS; r++)
                if (!r->present) {
                        strcpy(r->name, "MeshCore-Test");
                        r->addr[5] = 0xc0;
                        r->addr[1] = 0x22;
                        r->addr[0] = 1 + radio_index(r);
                        r->addr_type = 1;
                        r->pin = 123456;
                        r->sc = r->advertise = r->connectable = r->uuid_in_adv = 1;
                        r->no_response_write = 1;
                        r->mtu = 247;
                        r->security = r->cccd_security = 2;
                        r->rssi = -60;
                        r->per_event = 4;
                        memset(r->irk, 0x11 + radio_index(r), 16);
                        r->present = true;
                        return r;
                }
        return NULL;
}

static bool radio_config(struct radio *r, char *list) /* key=value,key=value */
{
        char *save, *kv, *eq;

        for (kv = strtok_r(list, ",", &save); kv; kv = strtok_r(NULL, ",", &save)) {
                eq = strchr(kv, '=');
                if (!eq)
                        return false;
                *eq = 0;
                if (!radio_set(r, kv, eq + 1))
                        return false;
        }
        return true;
}

static void control(int fd, char *line) {
        struct radio *r = &radios[0];
        char verb[32] = "", a[32] = "", b[1300] = "", out[256] = "ok";
        int k = 0;

        if (line[0] == '@') {
                int i = atoi(line + 1);

                if (i >= 0 && i < MAX_RADIOS)
                        r = &radios[i];
                line += strcspn(line, " ");
        }
        sscanf(line, " %31s %n", verb, &k);
        if (!r->present) {
                strcpy(out, "err no such radio");
        } else if (!strcmp(verb, "set")) {
                if (sscanf(line + k, "%31s %1299[^\n]", a, b) != 2 || !radio_set(r, a, b))
                        strcpy(out, "err bad setting");
        } else if (!strcmp(verb, "notify")) {
                u8 data[600];
                size_t n = 0;

                sscanf(line + k, "%1299s", b);
                while (n < sizeof(data) && sscanf(b + 2 * n, "%2hhx", &data[n]) == 1)
                        n++;
                k = notify(r, data, n);
                snprintf(out, sizeof(out), k < 0 ? "err not subscribed" : "ok %d", k);
        } else if (!strcmp(verb, "drop")) {
                sscanf(line + k, "%31s", a);
                if (!r->connected)
                        strcpy(out, "err not connected");
                link_down(r, *a ? strtol(a, NULL, 0) : 0x13);
        } else if (!strcmp(verb, "forget")) {
                memset(r->bonds, 0, sizeof(r->bonds));
                bonds_save();
        } else if (!strcmp(verb, "rekey")) { /* hold a wrong key for the peer */
                for (int i = 0; i < MAX_BONDS; i++)
                        fill_random(r->bonds[i].ltk, 16);
        } else if (!strcmp(verb, "secreq")) {
                u8 sr[2] = {0x0b, 0x05 | (r->sc ? 8 : 0)};

                if (r->connected)
                        acl_to_host(r, 6, sr, 2);
                else
                        strcpy(out, "err not connected");
        } else if (!strcmp(verb, "changed")) { /* Service Changed, whole range */
                u8 d[7] = {0x1d, H_CHANGED, 0, 1, 0, 0xff, 0xff};

                att_send(r, d, 7);
        } else if (!strcmp(verb, "adapter")) {
                sscanf(line + k, "%31s", a);
                if (!strcmp(a, "remove"))
                        adapter_remove();
                else if (vhci >= 0 || !adapter_add())
                        strcpy(out, "err");
        } else if (!strcmp(verb, "add")) {
                r = radio_new();
                if (!r || !radio_config(r, line + k))
                        strcpy(out, "err");
                else
                        snprintf(out, sizeof(out), "ok %d", radio_index(r));
        } else if (!strcmp(verb, "status")) {
                int bonds = 0;

                for (int i = 0; i < MAX_BONDS; i++)
                        bonds += r->bonds[i].used;
                snprintf(out, sizeof(out),
                         "ok connected=%d encrypted=%d subscribed=%d mtu=%d bonds=%d scan=%d pending=%d",
                         r->connected, r->encrypted, r->cccd_tx, r->att_mtu, bonds, ctl.scan, ctl.pending);
        } else {
                strcpy(out, "err unknown command");
        }
        strcat(out, "\n");
        if (send(fd, out, strlen(out), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                perror("vradio: control");
}

static void client_read(int i) {
        char *nl;
        ssize_t n;

        n = recv(clients[i], client_buf[i] + client_len[i], sizeof(client_buf[i]) - 1 - client_len[i],
                 MSG_DONTWAIT);
        if (n <= 0) {
                if (n < 0 && errno == EAGAIN)
                        return;
                close(clients[i]);
                clients[i] = -1;
                return;
        }
        client_len[i] += n;
        client_buf[i][client_len[i]] = 0;
        while ((nl = strchr(client_buf[i], '\n'))) {
                *nl = 0;
                control(clients[i], client_buf[i]);
                client_len[i] -= nl + 1 - client_buf[i];
                memmove(client_buf[i], nl + 1, client_len[i] + 1);
        }
        if (client_len[i] >= sizeof(client_buf[i]) - 1)
                client_len[i] = 0;
}

static void from_host(void) {
        u8 pkt[2048];
        ssize_t n = read(vhci, pkt, sizeof(pkt));

        if (n < 1)
                return;
        if (pkt[0] == 0x01 && n >= 4)
                cmd(le16(pkt + 1), pkt + 4, n - 4);
        else if (pkt[0] == 0x02)
                acl_from_host(pkt, n);
        else if (pkt[0] == 0xff && n >= 4)
                event("! adapter hci%d", le16(pkt + 2));
}

static void usage(void) {
        fputs("usage: vradio [-v] [-a ADAPTER-ADDR] [-b BOND-FILE] [-l LATENCY-MS] -c SOCKET [-r "
              "KEY=VALUE,...]...\n"
              "       vradio -c SOCKET -x COMMAND...    tells a running one\n"
              "\n"
              "Settings of a radio (-r, add, set):\n"
              "  name addr type(0 public, 1 random) pin sc(0|1) advertise connectable mtu rssi\n"
              "  security cccd-security (0 open, 1 encrypted, 2 authenticated) secreq\n"
              "  no-response-write uuid-in-adv mute refuse(SMP reason) smp-silent smp-drop(n)\n"
              "  no-bond echo adv-pause(ms) interval(ms) per-event(packets)\n"
              "Commands (\"@1 \" in front: for radio 1):\n"
              "  set KEY VALUE | notify HEX | drop [REASON] | forget | rekey | secreq | changed\n"
              "  adapter remove|add | add KEY=VALUE,... | status\n",
              stderr);
        exit(2);
}

/* Every command must be taken. */
static int tell(const struct sockaddr_un *sa, char **commands) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char line[2048];
        FILE *f;

        if (fd < 0 || connect(fd, (const struct sockaddr *) sa, sizeof(*sa)) || !(f = fdopen(fd, "r+"))) {
                perror(sa->sun_path);
                return 1;
        }
        for (; *commands; commands++) {
                if (dprintf(fd, "%s\n", *commands) < 0)
                        return 1;
                do
                        if (!fgets(line, sizeof(line), f))
                                return 1;
                while (line[0] == '!');
                fputs(line, stdout);
                if (strncmp(line, "ok", 2)) {
                        fprintf(stderr, "vradio: %s: %s", *commands, line);
                        return 1;
                }
        }
        return 0;
}

int main(int argc, char **argv) {
        bool telling = false;
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        const char *path = NULL;
        struct radio *r;
        int opt, ls, i;

        signal(SIGPIPE, SIG_IGN);
        for (i = 0; i < MAX_CLIENTS; i++)
                clients[i] = -1;
        while ((opt = getopt(argc, argv, "va:b:c:l:r:x")) != -1)
                switch (opt) {
                case 'v':
                        verbose = 1;
                        break;
                case 'a':
                        if (!addr_parse(optarg, own_addr))
                                usage();
                        break;
                case 'b':
                        bond_file = optarg;
                        break;
                case 'c':
                        path = optarg;
                        break;
                case 'l':
                        latency = atoi(optarg);
                        break;
                case 'x':
                        telling = true;
                        break;
                case 'r':
                        r = radio_new();
                        if (!r || !radio_config(r, optarg))
                                usage();
                        break;
                default:
                        usage();
                }
        if (!path || strlen(path) >= sizeof(sa.sun_path))
                usage();
        if (telling) {
                strcpy(sa.sun_path, path);
                return tell(&sa, argv + optind);
        }
        if (!radios[0].present)
                radio_new();
        bonds_load();
        strcpy(sa.sun_path, path);
        unlink(path);
        ls = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (ls < 0 || bind(ls, (struct sockaddr *) &sa, sizeof(sa)) || listen(ls, 4)) {
                perror(path);
                return 1;
        }
        if (!adapter_add())
                return 1;
        for (;;) {
                struct pollfd p[2 + MAX_CLIENTS] = {{.fd = vhci, .events = POLLIN},
                                                    {.fd = ls, .events = POLLIN}};
                int wait = later_run(&down, acl_to_radio), next = later_run(&up, to_host);

                if (next >= 0 && (wait < 0 || wait > next))
                        wait = next;
                if ((ctl.scan || ctl.pending) && (wait < 0 || wait > ADV_MS))
                        wait = ADV_MS;

                for (i = 0; i < MAX_CLIENTS; i++)
                        p[2 + i] = (struct pollfd){.fd = clients[i], .events = POLLIN};
                if (poll(p, 2 + MAX_CLIENTS, wait) < 0 && errno != EINTR)
                        return 1;
                if (p[0].revents && vhci >= 0)
                        from_host();
                if (p[1].revents) {
                        int fd = accept4(ls, NULL, NULL, SOCK_CLOEXEC);

                        for (i = 0; i < MAX_CLIENTS && clients[i] >= 0; i++)
                                ;
                        if (i < MAX_CLIENTS) {
                                clients[i] = fd;
                                client_len[i] = 0;
                        } else {
                                close(fd);
                        }
                }
                for (i = 0; i < MAX_CLIENTS; i++)
                        if (p[2 + i].revents && clients[i] >= 0)
                                client_read(i);
                if ((ctl.scan || ctl.pending) && now_ms() >= ctl.next_adv) {
                        ctl.next_adv = now_ms() + ADV_MS;
                        advertise();
                }
        }
}
