/* plugins/hybrid/mode.c - whether the vCPU is in a mode of which kernels know all that matters, and
 * what it may touch then.
 *
 * Sources: Intel SDM volume 3, 2.3 and 2.5 (EFLAGS, CR0, CR4), 4.6 (access rights: SMAP), 6.8.3
 * (no interrupt after MOV SS and STI), 17.3.1.4 (single step); hflags is QEMU's summary of a mode.
 */
#include "machine.h"

#define H_INHIBIT ((uint32_t)1 << 3)
#define H_PE ((uint32_t)1 << 7)
#define H_LMA ((uint32_t)1 << 14)
#define H_CS64 ((uint32_t)1 << 15)
#define H_SMM ((uint32_t)1 << 19)
#define H_GUEST ((uint32_t)1 << 21)
#define H_AVX ((uint32_t)1 << 28) /* CR4.OSXSAVE, and XCR0 has SSE and AVX */
#define FLAG_TF ((uint64_t)1 << 8)
#define FLAG_AC ((uint64_t)1 << 18)
#define CR0_EM ((uint64_t)1 << 2)
#define CR0_TS ((uint64_t)1 << 3)
#define CR0_AM ((uint64_t)1 << 18)
#define CR0_PG ((uint64_t)1 << 31)
#define CR4_OSFXSR ((uint64_t)1 << 9)
#define CR4_LA57 ((uint64_t)1 << 12)
#define CR4_SMAP ((uint64_t)1 << 21)
#define CR4_PKE ((uint64_t)1 << 22)
#define CR4_PKS ((uint64_t)1 << 24)

int vt_mode_of(const struct vt_mode *m, enum vt_vectors vectors, struct vt_paging *p)
{
    const uint32_t wanted = H_PE | H_LMA | H_CS64;
    bool user = (m->hflags & 3) == 3, ac = (m->eflags & FLAG_AC) != 0;
    if ((m->hflags & (wanted | H_SMM | H_GUEST | H_INHIBIT)) != wanted || m->df != 1 ||
        (m->cr0 & CR0_PG) == 0 || (m->eflags & FLAG_TF) != 0) {
        return VT_HYBRID_MODE;
    }
    /* An operating system that saves vector registers only when somebody wants them faults here. */
    if (vectors != VT_NO_VECTORS &&
        ((m->cr0 & (CR0_EM | CR0_TS)) != 0 || (m->cr4 & CR4_OSFXSR) == 0)) {
        return VT_HYBRID_MODE;
    }
    if (vectors == VT_AVX && (m->hflags & H_AVX) == 0) {
        return VT_HYBRID_MODE;
    }
    if (user && ac && (m->cr0 & CR0_AM) != 0) { /* each access must be aligned */
        return VT_HYBRID_MODE;
    }
    *p = (struct vt_paging){.root = m->cr3,
                            .five = (m->cr4 & CR4_LA57) != 0,
                            .user = user,
                            .user_pages = user || ac || (m->cr4 & CR4_SMAP) == 0,
                            .user_keys = (m->cr4 & CR4_PKE) != 0,
                            .kernel_keys = (m->cr4 & CR4_PKS) != 0};
    return VT_GOES;
}
