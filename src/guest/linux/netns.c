/* guest/linux/netns.c - net_namespace_list and each one's dev_base_head. See netns.h. */
#include "guest/linux/netns.h"

#include <stdlib.h>

#define NETS_MAX 65536u
#define DEVICES_MAX (1u << 20)

struct layout {
    struct vt_extent net;
    struct vt_member list, inum, devices, net_bytes;
    struct vt_extent device;
    struct vt_member dev_list, ifindex, name, device_bytes;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, list, net, "net", "list"),
    VT_FIELD(layout, inum, net, "net", "ns.inum", "proc_inum"),
    VT_FIELD(layout, devices, net, "net", "dev_base_head"),
    VT_FIELD_SIZE(layout, net_bytes, "net"),
    VT_FIELD(layout, dev_list, device, "net_device", "dev_list"),
    VT_FIELD(layout, ifindex, device, "net_device", "ifindex"),
    VT_FIELD(layout, name, device, "net_device", "name"),
    VT_FIELD_SIZE(layout, device_bytes, "net_device"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* Room for one more of `size` bytes in an array of n. */
static void *grown(void *array, size_t n, size_t size)
{
    return (n & (n - 1)) == 0 ? realloc(array, (n == 0 ? 1 : 2 * n) * size) : array;
}

static int take_devices(struct vt_walk *w, const struct layout *l, struct vt_netns *net,
                        struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva node;
    int rc;
    vt_list_begin(&list, w->space, VT_GVA(net->at.v + l->devices.offset),
                  vt_walk_cap(w, l->device_bytes.size, DEVICES_MAX));
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        struct vt_object o;
        struct vt_gva at = VT_GVA(node.v - l->dev_list.offset);
        if (vt_object_read(w->space, at, l->device, &o, NULL) != 0) {
            vt_walk_torn(w, "a network device cannot be read");
            continue;
        }
        struct vt_netdev *more = grown(net->devices, net->n_devices, sizeof *more);
        if (more == NULL) {
            rc = vt_fail(err, VT_E_NOMEM, "network devices: out of memory");
            break;
        }
        net->devices = more;
        struct vt_netdev *device = &more[net->n_devices++];
        device->at = at;
        device->ifindex = (uint32_t)vt_object_uint(&o, &l->ifindex);
        vt_object_text(&o, &l->name, device->name, sizeof device->name);
    }
    vt_walk_list_end(w, &list);
    return rc;
}

static int take_net(struct vt_walk *w, const struct layout *l, struct vt_gva at,
                    struct vt_netns_list *nets, struct vt_error *err)
{
    struct vt_object o;
    if (vt_object_read(w->space, at, l->net, &o, NULL) != 0) {
        vt_walk_torn(w, "a network namespace cannot be read");
        return 0;
    }
    struct vt_netns *more = grown(nets->list, nets->n, sizeof *more);
    if (more == NULL) {
        return vt_fail(err, VT_E_NOMEM, "network namespaces: out of memory");
    }
    nets->list = more;
    more[nets->n] = (struct vt_netns){.at = at, .inode = (uint32_t)vt_object_uint(&o, &l->inum)};
    return take_devices(w, l, &more[nets->n++], err);
}

int vt_netns_take(struct vt_walk *walk, struct vt_netns_list *nets, struct vt_error *err)
{
    const struct layout *l;
    struct vt_netns_list found = {0};
    struct vt_list_walk list;
    struct vt_gva head, node;
    int rc = vt_layout_take(walk->kernel, &type, &l, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(walk->kernel, "net_namespace_list", &head, err);
    }
    if (rc != 0) {
        return rc;
    }
    vt_list_begin(&list, walk->space, head, vt_walk_cap(walk, l->net_bytes.size, NETS_MAX));
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        if ((rc = take_net(walk, l, VT_GVA(node.v - l->list.offset), &found, err)) != 0) {
            break;
        }
    }
    vt_walk_list_end(walk, &list);
    if (rc != 0) {
        vt_netns_fini(&found);
        return rc;
    }
    *nets = found;
    return 0;
}

void vt_netns_fini(struct vt_netns_list *nets)
{
    for (size_t i = 0; i < nets->n; i++) {
        free(nets->list[i].devices);
    }
    free(nets->list);
    *nets = (struct vt_netns_list){0};
}

const struct vt_netns *vt_netns_find(const struct vt_netns_list *nets, struct vt_gva at)
{
    for (size_t i = 0; i < nets->n; i++) {
        if (nets->list[i].at.v == at.v) {
            return &nets->list[i];
        }
    }
    return NULL;
}

const char *vt_netns_device(const struct vt_netns *net, uint32_t ifindex)
{
    for (size_t i = 0; net != NULL && ifindex != 0 && i < net->n_devices; i++) {
        if (net->devices[i].ifindex == ifindex) {
            return net->devices[i].name;
        }
    }
    return "";
}
