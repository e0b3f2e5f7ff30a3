/* tests/unit/guest/test_path.c - paths through mounts, of honest and of hostile dentries.
 *
 * The whole RAM is mapped at BASE by one 1 GiB page; addresses below are offsets into both. The
 * kernel is nothing but this address space and the types that paths need.
 */
#include "tests/unit/harness.h"

#include "guest/kernel.h"
#include "guest/linux/layout.h"
#include "guest/linux/path.h"
#include "tests/unit/guest/synthetic.h"

#include <bpf/btf.h>
#include <string.h>

#define ROOT 0x1000u
#define BASE UINT64_C(0x400000000000)
#define DENTRY(i) (0x20000u + 0x100u * (unsigned)(i))
#define NAME(i) (0x80000u + 0x200u * (unsigned)(i))
#define MOUNT(i) (0x10000u + 0x100u * (unsigned)(i))
#define NAMESPACE 0x18000u
#define INODE 0x19000u
#define SUPER 0x1a000u
#define FS 0x1b000u
#define OPS 0x1c000u

enum { HASH = 8, PARENT = 16, QSTR = 24, INODE_OF = 40, OP = 48, SB = 56, DENTRY_BYTES = 64 };
enum { MNT_PARENT = 0, MOUNTPOINT = 8, MNT = 16, MNT_NS = 40, MOUNT_BYTES = 48 };

struct fixture {
    struct synthetic s;
    struct vt_ram *ram;
    struct vt_kernel kernel;
    struct vt_look look;
    const struct vt_path_layout *l;
    char buf[VT_PATH_BYTES];
};

static void add(struct btf *btf, const char *name, uint32_t bytes)
{
    assert_true(btf__add_struct(btf, name, bytes) > 0);
}

static void field(struct btf *btf, const char *name, int of, uint32_t byte)
{
    assert_int_equal(btf__add_field(btf, name, of, byte * 8, 0), 0);
}

static struct vt_btf *make_types(void)
{
    struct btf *btf = btf__new_empty();
    int u8 = btf__add_int(btf, "unsigned char", 1, 0);
    int u32 = btf__add_int(btf, "unsigned int", 4, 0);
    int u64 = btf__add_int(btf, "unsigned long", 8, 0);
    add(btf, "path", 16);
    field(btf, "mnt", u64, 0);
    field(btf, "dentry", u64, 8);
    int node = btf__add_struct(btf, "hlist_bl_node", 16);
    field(btf, "next", u64, 0);
    field(btf, "pprev", u64, 8);
    int qstr = btf__add_struct(btf, "qstr", 16);
    field(btf, "len", u32, 4);
    field(btf, "name", u64, 8);
    add(btf, "dentry", DENTRY_BYTES);
    field(btf, "d_hash", node, 0);
    field(btf, "d_parent", u64, PARENT);
    field(btf, "d_name", qstr, QSTR);
    field(btf, "d_inode", u64, INODE_OF);
    field(btf, "d_op", u64, OP);
    field(btf, "d_sb", u64, SB);
    add(btf, "dentry_operations", 16);
    field(btf, "d_dname", u64, 8);
    int vfsmount = btf__add_struct(btf, "vfsmount", 24);
    field(btf, "mnt_root", u64, 0);
    add(btf, "mount", MOUNT_BYTES);
    field(btf, "mnt_parent", u64, MNT_PARENT);
    field(btf, "mnt_mountpoint", u64, MOUNTPOINT);
    field(btf, "mnt", vfsmount, MNT);
    field(btf, "mnt_ns", u64, MNT_NS);
    add(btf, "mnt_namespace", 8);
    field(btf, "is_anon", u8, 0);
    add(btf, "inode", 64);
    field(btf, "i_mode", u32, 0);
    field(btf, "i_sb", u64, 8);
    field(btf, "i_ino", u64, 16);
    field(btf, "i_rdev", u32, 24);
    field(btf, "i_nlink", u32, 28);
    field(btf, "i_size", u64, 32);
    field(btf, "i_mapping", u64, 40);
    field(btf, "i_private", u64, 48);
    add(btf, "super_block", 16);
    field(btf, "s_dev", u32, 0);
    field(btf, "s_type", u64, 8);
    add(btf, "file_system_type", 8);
    field(btf, "name", u64, 0);
    uint32_t n;
    const void *raw = btf__raw_data(btf, &n);
    uint8_t *copy = malloc(n);
    struct vt_btf *made = NULL;
    memcpy(copy, raw, n);
    btf__free(btf);
    assert_int_equal(vt_btf_create(copy, n, &made, NULL), 0);
    return made;
}

static void put(struct fixture *f, uint64_t at, uint64_t value)
{
    synthetic_put(&f->s, at, value, 8);
}

static void put_text(struct fixture *f, uint64_t at, const char *text)
{
    for (size_t i = 0; i <= strlen(text); i++) {
        synthetic_put(&f->s, at + i, (uint8_t)text[i], 1);
    }
}

/* Dentry i below `parent`; its own number makes it a root. */
static void dentry(struct fixture *f, unsigned i, unsigned parent, const char *name)
{
    put(f, DENTRY(i) + HASH, BASE + 0x1234);
    put(f, DENTRY(i) + PARENT, BASE + DENTRY(parent));
    synthetic_put(&f->s, DENTRY(i) + QSTR + 4, strlen(name), 4);
    put(f, DENTRY(i) + QSTR + 8, BASE + NAME(i));
    put(f, DENTRY(i) + INODE_OF, BASE + INODE);
    put(f, DENTRY(i) + OP, 0);
    put_text(f, NAME(i), name);
}

static void mount(struct fixture *f, unsigned i, unsigned root, unsigned on, unsigned mountpoint)
{
    put(f, MOUNT(i) + MNT_PARENT, BASE + MOUNT(on));
    put(f, MOUNT(i) + MOUNTPOINT, BASE + DENTRY(mountpoint));
    put(f, MOUNT(i) + MNT, BASE + DENTRY(root));
    put(f, MOUNT(i) + MNT_NS, BASE + NAMESPACE);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    synthetic_create(&f->s);
    const struct vt_ram_region all = {VT_GPA(0), VT_OFF(0), SYNTHETIC_BYTES};
    if (vt_ram_open(f->s.path, &all, 1, &f->ram, NULL) != 0) {
        return -1;
    }
    f->kernel.ram = f->ram;
    f->kernel.space = (struct vt_space){.ram = f->ram, .root = VT_GPA(ROOT), .levels = 4};
    f->kernel.btf = make_types();
    put(f, ROOT + 8 * 128, 0x2000 | 3);
    put(f, 0x2000, 0x80 | 3);
    vt_look_init(&f->look, &f->kernel.space);
    assert_int_equal(vt_path_take(&f->kernel, &f->l, NULL), 0);
    /* "/" (0) with "etc" (1) and "mnt" (2); on "mnt" a root (3) with "a b" (4) and in it "c" (5).
     */
    dentry(f, 0, 0, "/");
    dentry(f, 1, 0, "etc");
    dentry(f, 2, 0, "mnt");
    dentry(f, 3, 3, "/");
    dentry(f, 4, 3, "a b");
    dentry(f, 5, 4, "c");
    mount(f, 0, 0, 0, 0);
    mount(f, 1, 3, 0, 2);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_look_fini(&f->look);
    vt_layouts_free(f->kernel.layouts);
    vt_btf_destroy(f->kernel.btf);
    vt_ram_close(f->ram);
    synthetic_destroy(&f->s);
    free(f);
    return 0;
}

static struct vt_path path(unsigned on, unsigned i)
{
    return (struct vt_path){VT_GVA(BASE + MOUNT(on) + MNT), VT_GVA(BASE + DENTRY(i))};
}

static void expect(struct fixture *f, struct vt_path p, const struct vt_path *root,
                   const char *text, enum vt_path_reach how)
{
    enum vt_path_reach reach = 99;
    vt_look_begin(&f->look);
    assert_string_equal(vt_path_text(&f->look, &f->kernel, f->l, p, root, f->buf, &reach), text);
    assert_int_equal(reach, how);
    assert_false(f->look.doubted);
}

static void expect_doubt(struct fixture *f, struct vt_path p, const char *why)
{
    vt_look_begin(&f->look);
    assert_string_equal(vt_path_text(&f->look, &f->kernel, f->l, p, NULL, f->buf, NULL), "");
    assert_true(f->look.doubted);
    if (strstr(f->look.why, why) == NULL) {
        fail_msg("'%s' does not say '%s'", f->look.why, why);
    }
}

static void test_paths(void **state)
{
    struct fixture *f = *state;
    struct vt_path inner = path(1, 4), outer = path(0, 1);
    expect(f, path(0, 0), NULL, "/", VT_PATH_ROOT);
    expect(f, path(0, 1), NULL, "/etc", VT_PATH_ROOT);
    expect(f, path(1, 3), NULL, "/mnt", VT_PATH_ROOT);
    expect(f, path(1, 5), NULL, "/mnt/a b/c", VT_PATH_ROOT);
    expect(f, path(1, 5), &inner, "/c", VT_PATH_ROOT);
    expect(f, path(1, 4), &inner, "/", VT_PATH_ROOT);
    expect(f, path(1, 5), &outer, "/mnt/a b/c", VT_PATH_OUTSIDE);
    vt_look_begin(&f->look);
    assert_string_equal(vt_dentry_text(&f->look, f->l, path(1, 5).dentry, f->buf), "/a b/c");
    assert_string_equal(vt_dentry_text(&f->look, f->l, path(1, 3).dentry, f->buf), "/");
}

static void test_deleted(void **state)
{
    struct fixture *f = *state;
    put(f, DENTRY(5) + HASH, 0);
    expect(f, path(1, 5), NULL, "/mnt/a b/c (deleted)", VT_PATH_ROOT);
    vt_look_begin(&f->look);
    assert_string_equal(vt_dentry_text(&f->look, f->l, path(1, 5).dentry, f->buf),
                        "/a b/c//deleted");
    assert_string_equal(vt_path_plain(&f->look, f->l, path(1, 5), NULL, f->buf, NULL),
                        "/mnt/a b/c");
    put(f, DENTRY(3) + HASH, 0); /* a root never is in a hash table */
    expect(f, path(1, 3), NULL, "/mnt", VT_PATH_ROOT);
}

static void test_detached(void **state)
{
    struct fixture *f = *state;
    mount(f, 1, 3, 1, 3); /* on nothing */
    put(f, MOUNT(1) + MNT_NS, 0);
    expect(f, path(1, 5), NULL, "/a b/c", VT_PATH_DETACHED);
    put(f, MOUNT(1) + MNT_NS, (uint64_t)-22);
    expect(f, path(1, 5), NULL, "/a b/c", VT_PATH_DETACHED);
    put(f, MOUNT(1) + MNT_NS, BASE + NAMESPACE);
    synthetic_put(&f->s, NAMESPACE, 1, 1); /* anonymous */
    expect(f, path(1, 5), NULL, "/a b/c", VT_PATH_DETACHED);
    synthetic_put(&f->s, NAMESPACE, 0, 1);
    expect(f, path(1, 5), NULL, "/a b/c", VT_PATH_ROOT);
    mount(f, 1, 4, 1, 4); /* "c" was moved out of what is mounted */
    dentry(f, 5, 3, "c");
    expect(f, path(1, 5), NULL, "/c", VT_PATH_DETACHED);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    put(f, DENTRY(5) + OP, BASE + OPS);
    expect(f, path(1, 5), NULL, "/mnt/a b/c", VT_PATH_ROOT); /* operations without d_dname */
    put(f, OPS + 8, BASE + 0x5000);                          /* no function of the kernel's */
    expect(f, path(1, 5), NULL, "/c", VT_PATH_NAMED);
    put_text(f, NAME(5), "a/b"); /* memfd_create() takes such a name */
    synthetic_put(&f->s, DENTRY(5) + QSTR + 4, 3, 4);
    expect(f, path(1, 5), NULL, "/a/b", VT_PATH_NAMED);
    put(f, DENTRY(3) + OP, BASE + OPS); /* the root of a mount has a path all the same */
    expect(f, path(1, 3), NULL, "/mnt", VT_PATH_ROOT);
}

static void test_hostile(void **state)
{
    struct fixture *f = *state;
    put_text(f, NAME(4), "a/b");
    expect_doubt(f, path(1, 5), "slash");
    put_text(f, NAME(4), "a");
    expect_doubt(f, path(1, 5), "ends too early");
    synthetic_put(&f->s, DENTRY(4) + QSTR + 4, 256, 4);
    expect_doubt(f, path(1, 5), "a name of 256 bytes");
    dentry(f, 4, 5, "a b"); /* each other's parents */
    expect_doubt(f, path(1, 5), "a path of more than");
    vt_look_begin(&f->look);
    assert_string_equal(vt_dentry_text(&f->look, f->l, path(1, 5).dentry, f->buf), "");
    dentry(f, 4, 3, "a b");
    mount(f, 1, 3, 2, 3); /* two mounts upon each other's roots */
    mount(f, 2, 3, 1, 3);
    expect_doubt(f, path(1, 5), "more to read than one row can need");
    put(f, DENTRY(4) + PARENT, UINT64_C(0x700000000000));
    expect_doubt(f, path(1, 5), "cannot be read");
    expect_doubt(f, (struct vt_path){VT_GVA(8), VT_GVA(BASE + DENTRY(5))}, "cannot be read");
}

static void test_longest(void **state)
{
    struct fixture *f = *state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    for (unsigned i = 10; i < 26; i++) { /* 16 times 256 bytes */
        dentry(f, i, i == 10 ? 0 : i - 1, name);
    }
    vt_look_begin(&f->look);
    const char *text = vt_path_text(&f->look, &f->kernel, f->l, path(0, 25), NULL, f->buf, NULL);
    assert_int_equal(strlen(text), 4096);
    dentry(f, 26, 25, "x");
    expect_doubt(f, path(0, 26), "a path of more than 4096 bytes");
    put(f, DENTRY(25) + HASH, 0); /* what is added has room of its own */
    vt_look_begin(&f->look);
    text = vt_path_text(&f->look, &f->kernel, f->l, path(0, 24), NULL, f->buf, NULL);
    assert_int_equal(strlen(text), 3840);
}

static void test_inode(void **state)
{
    struct fixture *f = *state;
    struct vt_inode inode;
    synthetic_put(&f->s, INODE, 0100644, 4);
    put(f, INODE + 8, BASE + SUPER);
    put(f, INODE + 16, 42);
    synthetic_put(&f->s, INODE + 28, 3, 4);
    put(f, INODE + 32, 12345);
    synthetic_put(&f->s, SUPER, 254u << 20 | 17, 4);
    put(f, SUPER + 8, BASE + FS);
    put(f, FS, BASE + NAME(90));
    put_text(f, NAME(90), "testfs");
    vt_look_begin(&f->look);
    struct vt_gva at = vt_dentry_inode(&f->look, f->l, path(1, 5).dentry);
    assert_int_equal(at.v, BASE + INODE);
    vt_inode_read(&f->look, f->l, at, &inode);
    assert_false(f->look.doubted);
    assert_int_equal(inode.mode, 0100644);
    assert_int_equal(inode.number, 42);
    assert_int_equal(inode.links, 3);
    assert_int_equal(inode.bytes, 12345);
    assert_int_equal(vt_device_major(inode.device), 254);
    assert_int_equal(vt_device_minor(inode.device), 17);
    assert_string_equal(inode.fs, "testfs");
    vt_look_begin(&f->look);
    vt_inode_read(&f->look, f->l, VT_GVA(0x700000000000), &inode);
    assert_true(f->look.doubted);
    assert_int_equal(inode.number, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_detached, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inode, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
