/* trace/names_image.c - the files that a guest's code is mapped from, and their symbols.
 *
 * The page of RAM that a block lies in says which file it is of: that holds when the process has
 * ended, too, and wherever it had the file. So do the pages of the vdso, which are the kernel's.
 * Any other (code that a debugger wrote into) is told by the memory areas of the process.
 */
#include "trace/names_live.h"

#include "vitrine/linux.h"
#include "vitrine/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define IMAGES_MAX 65536u
/* Of what is behind, symbols are not read. */
#define IMAGE_BYTES_MAX ((uint64_t)512 << 20)
#define PATH_BYTES 4224u
#define AREAS_MAX 65536u

void vt_names_images_fini(struct vt_names_live *l)
{
    for (uint32_t i = 0; i < l->n_images; i++) {
        vt_elf_fini(&l->images[i].elf);
    }
    free(l->images);
    free(l->areas);
}

/* ---- what is in an image */

struct bytes {
    uint8_t *at; /* IMAGE_BYTES_MAX of zeros, of which only what is there takes memory */
    uint8_t pages[IMAGE_BYTES_MAX / VT_PAGE_BYTES / 8];
    uint64_t n;
};

static int keep_page(uint64_t offset, const uint8_t *bytes, size_t n, void *arg)
{
    struct bytes *b = arg;
    if (offset > IMAGE_BYTES_MAX - n) {
        return 1; /* enough */
    }
    uint64_t page = offset / VT_PAGE_BYTES;
    memcpy(b->at + offset, bytes, n);
    b->pages[page / 8] |= (uint8_t)(1u << page % 8);
    b->n = offset + n;
    return 0;
}

static void load_file(struct vt_kernel *kernel, struct vt_names_image *image)
{
    struct vt_file_pages result;
    struct bytes *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return;
    }
    b->at = mmap(NULL, IMAGE_BYTES_MAX, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b->at != MAP_FAILED) {
        struct vt_elf_bytes file = {.at = b->at, .pages = b->pages};
        if (vt_linux_file_pages(kernel, image->inode, keep_page, b, &result, NULL) >= 0) {
            file.n = b->n;
            (void)vt_elf_read(&file, &image->elf, NULL); /* a script, or torn: no symbols */
        }
        munmap(b->at, IMAGE_BYTES_MAX);
    }
    free(b);
}

/* ---- which image */

static uint32_t add_image(struct vt_trace_names *names, struct vt_gva inode, const char *name)
{
    struct vt_names_live *l = names->live;
    if (l->n_images == IMAGES_MAX) {
        return 0;
    }
    if (l->n_images == l->images_room) {
        uint32_t room = l->images_room == 0 ? 64 : l->images_room * 2;
        struct vt_names_image *to = reallocarray(l->images, room, sizeof *to);
        if (to == NULL) {
            return 0;
        }
        l->images = to;
        l->images_room = room;
    }
    l->images[l->n_images++] =
        (struct vt_names_image){.inode = inode, .name = vt_names_text(names, name)};
    return l->n_images;
}

/* The image of a file: number + 1, or 0. */
static uint32_t image_of(struct vt_trace_names *names, struct vt_gva inode)
{
    struct vt_names_live *l = names->live;
    if (l->last_image < l->n_images && l->images[l->last_image].inode.v == inode.v) {
        return l->last_image + 1;
    }
    for (uint32_t i = 0; i < l->n_images; i++) {
        if (l->images[i].inode.v == inode.v) {
            l->last_image = i;
            return i + 1;
        }
    }
    char path[PATH_BYTES];
    if (vt_linux_file_path(l->target->kernel, inode, path, sizeof path, NULL) != 0) {
        snprintf(path, sizeof path, "[inode 0x%" PRIx64 "]", inode.v);
    }
    return add_image(names, inode, path);
}

/* ---- memory areas: for pages that are no file's */

static int keep_area(const struct vt_row *row, void *arg)
{
    const struct vt_map *map = (const struct vt_map *)row;
    struct vt_trace_names *names = arg;
    struct vt_names_live *l = names->live;
    if (map->perms[2] != 'x' || l->n_areas == AREAS_MAX) {
        return 0;
    }
    if (l->n_areas == l->areas_room) {
        uint32_t room = l->areas_room == 0 ? 64 : l->areas_room * 2;
        struct vt_names_area *to = reallocarray(l->areas, room, sizeof *to);
        if (to == NULL) {
            return 0;
        }
        l->areas = to;
        l->areas_room = room;
    }
    l->areas[l->n_areas++] = (struct vt_names_area){.start = map->start.v,
                                                    .end = map->end.v,
                                                    .offset = map->offset,
                                                    .of_file = map->inode != 0,
                                                    .name = vt_names_text(names, map->name)};
    return 0;
}

static const struct vt_names_area *area_at(struct vt_trace_names *names, uint64_t root, uint64_t pc)
{
    struct vt_names_live *l = names->live;
    for (unsigned tries = 0; tries < 2; tries++) {
        for (uint32_t i = 0; l->areas_root == root && i < l->n_areas; i++) {
            if (pc - l->areas[i].start < l->areas[i].end - l->areas[i].start) {
                return &l->areas[i];
            }
        }
        const struct vt_names_root *process = vt_names_root(names, root, false);
        if (tries > 0 || process == NULL || process->pid <= 0 || !vt_names_may(&l->mapping)) {
            return NULL;
        }
        struct vt_noun_query query = {.pid = (int32_t)process->pid};
        struct vt_noun_result result;
        uint64_t spent = vt_names_spent();
        l->n_areas = 0;
        l->areas_root = root;
        vt_tlb_flush(vt_kernel_space(l->target->kernel)->tlb);
        (void)vt_noun_walk(l->target->kernel, vt_noun_find("maps"), &query, keep_area, names,
                           &result, NULL);
        vt_names_did(l, &l->mapping, spent);
    }
    return NULL;
}

static void find_by_area(struct vt_trace_names *names, struct vt_names_block *block)
{
    struct vt_names_live *l = names->live;
    const struct vt_names_area *area = area_at(names, block->root, block->pc);
    if (area == NULL || area->name == 0) {
        return;
    }
    uint32_t image = 0;
    while (image < l->n_images && l->images[image].name != area->name) {
        image++;
    }
    block->object = area->name;
    block->image = image < l->n_images ? image + 1 : 0;
    block->offset = area->of_file ? area->offset + (block->pc - area->start) : block->pc;
}

/* ---- the vdso */

/* Processes share the pages of the kernel's image that hold it. */
static void find_vdso(struct vt_trace_names *names)
{
    struct vt_names_live *l = names->live;
    const struct vt_kernel *kernel = l->target->kernel;
    const struct vt_space *space = vt_kernel_space(kernel);
    struct vt_member data, size;
    struct vt_gva image;
    uint64_t at, n;
    uint8_t bytes[VT_NAMES_VDSO_PAGES * VT_PAGE_BYTES];
    l->vdso_sought = true;
    if (vt_kernel_symbol(kernel, "vdso_image_64", &image, NULL) != 0 ||
        vt_kernel_member(kernel, "vdso_image", "data", &data, NULL) != 0 ||
        vt_kernel_member(kernel, "vdso_image", "size", &size, NULL) != 0 ||
        vt_space_read_u64(space, VT_GVA(image.v + data.offset), &at, NULL) != 0 ||
        vt_space_read_u64(space, VT_GVA(image.v + size.offset), &n, NULL) != 0 ||
        n > sizeof bytes || vt_space_read(space, VT_GVA(at), bytes, n, NULL) != 0) {
        return;
    }
    uint32_t added = add_image(names, VT_GVA(0), "[vdso]");
    for (uint32_t i = 0; added != 0 && i * VT_PAGE_BYTES < n; i++) {
        struct vt_gpa gpa;
        if (vt_space_translate(space, VT_GVA(at + i * VT_PAGE_BYTES), &gpa, NULL) == 0) {
            l->vdso_pages[i] = gpa.v;
            l->n_vdso_pages = i + 1;
        }
    }
    if (added != 0) {
        struct vt_elf_bytes file = {.at = bytes, .n = n};
        l->vdso = added;
        l->images[added - 1].loaded = true;
        (void)vt_elf_read(&file, &l->images[added - 1].elf, NULL);
    }
}

static bool is_vdso(struct vt_trace_names *names, struct vt_gpa gpa, uint64_t *offset)
{
    struct vt_names_live *l = names->live;
    if (!l->vdso_sought) {
        find_vdso(names);
    }
    for (uint32_t i = 0; i < l->n_vdso_pages; i++) {
        if (l->vdso_pages[i] == (gpa.v & ~(uint64_t)(VT_PAGE_BYTES - 1))) {
            *offset = i * VT_PAGE_BYTES + (gpa.v & (VT_PAGE_BYTES - 1));
            return true;
        }
    }
    return false;
}

/* ---- blocks */

void vt_names_live_user(struct vt_trace_names *names, struct vt_names_block *block)
{
    struct vt_names_live *l = names->live;
    struct vt_gpa gpa = VT_GPA(block->physical);
    struct vt_gva inode;
    uint64_t offset;
    if (block->physical == ~(uint64_t)0) {
        struct vt_space space = *vt_kernel_space(l->target->kernel);
        space.root = VT_GPA(block->root);
        space.tlb = NULL;
        if (vt_space_translate(&space, VT_GVA(block->pc), &gpa, NULL) != 0) {
            return;
        }
    }
    if (vt_linux_file_at(l->target->kernel, gpa, &inode, &offset, NULL) == 0) {
        block->image = image_of(names, inode);
    } else if (is_vdso(names, gpa, &offset)) {
        block->image = l->vdso;
    } else {
        find_by_area(names, block);
        return;
    }
    block->object = block->image != 0 ? l->images[block->image - 1].name : 0;
    block->offset = offset;
}

void vt_names_live_symbol(struct vt_trace_names *names, struct vt_names_block *block)
{
    struct vt_names_live *l = names->live;
    struct vt_names_image *image = &l->images[block->image - 1];
    uint64_t address;
    if (!image->loaded) {
        image->loaded = true;
        load_file(l->target->kernel, image);
    }
    block->image = 0;
    if (vt_elf_address(&image->elf, block->offset, &address)) {
        const struct vt_elf_symbol *symbol = vt_elf_symbol_at(&image->elf, address);
        block->function =
            symbol != NULL ? vt_names_text(names, vt_elf_symbol_name(&image->elf, symbol)) : 0;
        block->offset = block->function != 0 ? address - symbol->address : address;
    }
}
