/* Counts executed AArch64 instructions by kind, for qemu-aarch64 -plugin.
 *
 * The guest marks the sections of its work by umask(0x1000 + section): the kernel looks at the
 * lowest nine bits of a umask alone, so to the guest this is a harmless call. When the guest
 * ends, each (section, page of code) that ran is one line of the file that out= names:
 *
 *     section page-address count-of-each-kind...
 *
 * and each section's number of beginnings is a line "begun section times". Counting is a whole
 * translated block at a time. One guest thread works at a time; nothing here is locked.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is used of QEMU's plug-in interface (API 1, QEMU 4.2 to 8.2). */
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin_id;
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t,
                                                                     uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                                                     uint64_t));
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { UMASK = 166, FIRST_SECTION = 0x1000, MAX_SECTIONS = 0x4000, ROWS = 1 << 20 };

/* In the order of KINDS in counts.py. */
enum kind { MULTIPLY, DOT_PRODUCT, FLOAT_MULTIPLY, OTHER_SIMD, LOAD_STORE, BRANCH, OTHER, KINDS };

struct block {
    uint64_t page, runs;
    uint32_t count[KINDS];
    struct block *next_run; /* of those that ran in this section */
};

struct row {
    uint64_t page;
    uint32_t section;
    bool used;
    uint64_t count[KINDS];
};

static struct row *rows;
static uint64_t begun[MAX_SECTIONS];
static struct block *has_run;
static uint32_t section;
static int page_bits = 12;
static char out_path[4096] = "counts.txt";

/* Of "data processing: scalar floating point and advanced SIMD" (Arm Architecture Reference
 * Manual, C4.1): which multiply, alone or with an addition. */
static enum kind simd_kind(uint32_t word)
{
    uint32_t unsigned_bit = word >> 29 & 1, opcode;
    if ((word & 0xff000000) == 0x1f000000) return FLOAT_MULTIPLY; /* FMADD and its like */
    if ((word & 0x9f200c00) == 0x0e200000) {                      /* three registers, widening */
        opcode = word >> 12 & 15;
        return opcode >= 8 && opcode <= 13 ? MULTIPLY : OTHER_SIMD; /* SMLAL, SMULL, SQDMULL ... */
    }
    if ((word & 0x9f200400) == 0x0e200400) { /* three registers of one kind */
        opcode = word >> 11 & 31;
        if (opcode == 0x12 || opcode == 0x13 || opcode == 0x16) return MULTIPLY; /* MLA, MUL, SQDMULH */
        if (opcode == 0x19 && !unsigned_bit) return FLOAT_MULTIPLY;              /* FMLA, FMLS */
        return opcode == 0x1b ? FLOAT_MULTIPLY : OTHER_SIMD;                     /* FMUL, FMULX */
    }
    if ((word & 0x9f60c400) == 0x0e400400) { /* three registers of half precision */
        opcode = word >> 11 & 7;
        return (opcode == 1 && !unsigned_bit) || opcode == 3 ? FLOAT_MULTIPLY : OTHER_SIMD;
    }
    if ((word & 0x9f208400) == 0x0e008400) { /* three registers, later extensions */
        opcode = word >> 11 & 15;
        if (opcode < 2) return MULTIPLY;                       /* SQRDMLAH */
        return opcode <= 5 ? DOT_PRODUCT : OTHER_SIMD; /* SDOT, USDOT, SMMLA */
    }
    if ((word & 0x9f000400) == 0x0f000000) { /* by one element */
        opcode = word >> 12 & 15;
        if (opcode == 14 || (opcode == 15 && !unsigned_bit)) return DOT_PRODUCT;
        if (opcode == 9 || (opcode == 1 && !unsigned_bit) || (opcode == 5 && !unsigned_bit)) return FLOAT_MULTIPLY;
        return MULTIPLY;
    }
    return OTHER_SIMD;
}

static enum kind kind_of(uint32_t word)
{
    uint32_t group = word >> 25 & 15;
    if ((group & 7) == 7) return simd_kind(word);
    if ((group & 5) == 4) return LOAD_STORE;
    if ((group & 14) == 10) return BRANCH;
    return OTHER;
}

static void on_run(unsigned vcpu, void *data)
{
    struct block *block = data;
    (void)vcpu;
    if (block->runs++ == 0) {
        block->next_run = has_run;
        has_run = block;
    }
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *tb)
{
    struct block *block = calloc(1, sizeof *block); /* lives as long as the guest */
    (void)id;
    if (!block) abort();
    block->page = qemu_plugin_tb_vaddr(tb) >> page_bits;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i)), sizeof word);
        block->count[kind_of(word)]++;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_run, 0, block);
}

static struct row *row_of(uint64_t page)
{
    uint64_t hash = (page * 0x9e3779b97f4a7c15u ^ section * 0xc2b2ae3d27d4eb4fu) >> 20;
    for (uint64_t i = 0; i < ROWS; i++) {
        struct row *row = &rows[(hash + i) % ROWS];
        if (!row->used) {
            row->used = true;
            row->page = page;
            row->section = section;
        }
        if (row->page == page && row->section == section) return row;
    }
    fprintf(stderr, "count.c: more than %d pages of code\n", ROWS);
    abort();
}

static void end_section(void)
{
    for (; has_run; has_run = has_run->next_run) {
        struct row *row = row_of(has_run->page);
        for (int kind = 0; kind < KINDS; kind++) row->count[kind] += has_run->runs * has_run->count[kind];
        has_run->runs = 0;
    }
}

static void on_syscall(plugin_id id, unsigned vcpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                       uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    (void)id, (void)vcpu, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number != UMASK || a < FIRST_SECTION || a >= FIRST_SECTION + MAX_SECTIONS) return;
    end_section();
    section = a - FIRST_SECTION;
    begun[section]++;
}

static void on_exit_of_guest(plugin_id id, void *data)
{
    FILE *out = fopen(out_path, "w");
    (void)id, (void)data;
    if (!out) {
        perror(out_path);
        abort();
    }
    end_section();
    for (uint32_t i = 0; i < MAX_SECTIONS; i++)
        if (begun[i]) fprintf(out, "begun %" PRIu32 " %" PRIu64 "\n", i, begun[i]);
    for (struct row *row = rows; row < rows + ROWS; row++) {
        if (!row->used) continue;
        fprintf(out, "%" PRIu32 " %" PRIx64, row->section, row->page << page_bits);
        for (int kind = 0; kind < KINDS; kind++) fprintf(out, " %" PRIu64, row->count[kind]);
        fputc('\n', out);
    }
    fclose(out);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4)) snprintf(out_path, sizeof out_path, "%s", argv[i] + 4);
        if (!strncmp(argv[i], "bits=", 5)) page_bits = atoi(argv[i] + 5); /* 0: every block is a line */
    }
    rows = calloc(ROWS, sizeof *rows);
    if (!rows) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    qemu_plugin_register_atexit_cb(id, on_exit_of_guest, NULL);
    return 0;
}
