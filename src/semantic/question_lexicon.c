/* semantic/question_lexicon.c - words and what they mean. See question.h.
 *
 * Words stand in the singular; "processes" is found as "process". Of phrases that begin alike the
 * longest is taken. A concept may have several rows. Upper case concepts are classes, which rules
 * name as AREA or, when they want one of them only, AREA:stack.
 */
#include "semantic/question.h"

const struct vt_lexeme vt_lexicon[] = {
    /* What says nothing of what is asked. */
    {"the", NULL, VT_WEIGHT_NONE,
     "the|teh|a|an|this|that|these|those|there|here|it|its|they|them|their|such|one|your|my|our"},
    {"all", NULL, VT_WEIGHT_NONE,
     "all|any|some|stuff|thing|every|each|everything|anything|something|complete|entire|whole|"
     "full|various|different kind|list of|kind of|sort of|type of|set of|bunch of|details of|"
     "detail on|details on|info on|info about|information on|information about|overview of|"
     "rundown of|summary of|status of|state "
     "of|somewhere|anywhere|everybody|anybody|somebody|anyone|someone|"
     "everyone"},
    {"please", NULL, VT_WEIGHT_NONE,
     "please|would you be so kind as to|be so kind as to|so kind as to|be so kind and|"
     "kind enough to|be kind enough to|pls|plz|kindly|thank|thanks|thx|thank you|thanks a lot|"
     "many thanks|cheers|hi|hello|hey|hey there|good morning|ok|okay|so|well|um|uh|hmm|erm|oh|"
     "ah|yes|right|sorry|excuse me|awesome|great|cool|nice|dear|vitrine|man|dude|mate|buddy|"
     "folk|guys|by the way|btw|fyi|asap|if you can|if possible|if you would|would you mind|"
     "do you mind|for once|quick question|question"},
    {"can", NULL, VT_WEIGHT_NONE,
     "can|could|would|will|should|shall|may|might|must|able|are you able|is it possible"},
    {"you", NULL, VT_WEIGHT_NONE,
     "you|i|we|me|us|im|i am|i have|let|lets|let us|do you know|do you happen to know|"
     "does anybody know|does anyone know|do we know|wonder|wondering|curious|interested in|"
     "i am looking for|i was wondering|want|wanna|need|like|would like|love|trying to|try to|"
     "like to know|have a look at|take a look at|look|look at|look into|go ahead and|go|help|"
     "help me|say|hear|learn|understand|figure out|work out|have to|got to|if|whether|"
     "i am debugging|i am curious"},
    {"now", NULL, VT_WEIGHT_NONE,
     "now|right now|currently|current|at the moment|at this moment|at present|presently|"
     "as of now|already|still|actually|exactly|precisely|really|simply|just|only|quickly|also|"
     "then|again|too|as well|maybe|perhaps|possibly|basically|live|specific|specifically|"
     "particular|particularly|given|certain|relevant|for now|at all|in detail|detailed|briefly|"
     "in total|overall|altogether|together|individual|actual|real|exact|existing|available|"
     "exist|visible|pending|itself|known|physically|else|otherwise|first of all"},
    {"in_vm", NULL, VT_WEIGHT_NONE,
     "on the server|on this server|on my server|on that server|in ram|in the ram|inside ram|"
     "over there|in there|on there|on it|in it|inside it"},
    {"show", NULL, VT_WEIGHT_NONE,
     "show|gimme|lemme see|display|list|lst|lsit|shwo|print|give|tell|enumerate|get|see|view|"
     "report|fetch|output|describe|inspect|examine|explain|list out|list up|print out|scan|"
     "scan for|pull up|bring up|tell me about|dump|present|check|check whether|check if|"
     "find out|look up|identify|name all|return|retrieve|reveal|know|share|analyze|analyse|ls"},
    {"find", NULL, VT_WEIGHT_ASK,
     "find|locate|look for|looking for|searching for|trying to find|search for|search|"
     "point me to|point me at|point to|point out|pinpoint|spot|track down|hunt down|discover|"
     "seek|find me|location of|whereabouts of|place of"},

    /* Little words. */
    {"is", NULL, VT_WEIGHT_LIGHT, "is|are|was|were|be|been|being|am|seem|appear"},
    {"do", NULL, VT_WEIGHT_LIGHT, "do|does|did|done"},
    {"have", NULL, VT_WEIGHT_LIGHT,
     "have|has|had|having|got|hold|holding|held|keep|keeps|keeping|contain|contains|containing|"
     "with"},
    {"own", NULL, VT_WEIGHT_LIGHT, "own|owns|owned|owner|owner of|owning"},
    {"of", NULL, VT_WEIGHT_LIGHT,
     "of|belonging to|that belong to|that belongs to|which belong to|related to|belong to|"
     "belongs to|belonged to"},
    {"'s", NULL, VT_WEIGHT_LIGHT, "'s"},
    {"for", NULL, VT_WEIGHT_LIGHT, "for"},
    {"from", NULL, VT_WEIGHT_LIGHT, "from"},
    {"in", NULL, VT_WEIGHT_LIGHT, "in|during|throughout|inside|within|into|inside of"},
    {"on", NULL, VT_WEIGHT_LIGHT, "on|upon|onto|over|via|through"},
    {"at", NULL, VT_WEIGHT_LIGHT, "at|behind|around|near|under|underneath|below"},
    {"by", NULL, VT_WEIGHT_LIGHT, "by"},
    {"to", NULL, VT_WEIGHT_LIGHT, "to"},
    {"as", NULL, VT_WEIGHT_LIGHT, "as"},
    {"per", NULL, VT_WEIGHT_LIGHT, "per"},
    {"about", NULL, VT_WEIGHT_LIGHT, "about|regarding|concerning|mentioning|mention|mentions"},
    {"between", NULL, VT_WEIGHT_LIGHT, "between"},
    {"and", NULL, VT_WEIGHT_LIGHT, "and|plus|or|as well as|along with|and also|versus|vs"},
    {"what", NULL, VT_WEIGHT_ASK,
     "what|which|whats|who|whos|whose|whom|what kind of|what sort of|which one|what all|who all|"
     "wat|wich|what else|who else|whoever|what one|what exactly"},

    /* What must not be passed over. */
    {"not", NULL, VT_WEIGHT_HEAVY,
     "not|no|none|never|nobody|nothing|nor|neither|without|except|excluding|besides|but|"
     "other than|apart from|instead|instead of|rather than|unless|dont|doesnt|isnt|arent|cant|"
     "wont|didnt|wasnt|werent|hasnt|havent|anything but|all but|minus|ignoring|ignore|skip|"
     "exclude|lacks|lack|lacking|missing|outside|fewer than|less than|at most|smaller than|"
     "longer than|older than|newer than|least|smallest|lowest|shortest|fewest"},
    {"more_than", NULL, VT_WEIGHT_HEAVY,
     "more than|greater than|at least|larger than|bigger than|above|beyond|exceeding|exceed|"
     "exceeds|heavier than"},
    {"why", NULL, VT_WEIGHT_HEAVY,
     "why|how|how come|how to|how do|how does|how can|what if|why does|how is|tomorrow|next|"
     "future|will be|going to|predict|while|during boot|compare|"
     "compared to"},
    {"before", NULL, VT_WEIGHT_HEAVY, "before|prior to"},
    {"after", NULL, VT_WEIGHT_HEAVY, "after"},
    {"until", NULL, VT_WEIGHT_HEAVY, "until|till"},
    {"code", NULL, VT_WEIGHT_HEAVY,
     "select|group by|order by|sudo|grep|awk|sed|curl|wget|rm -rf|eval|exec|printf|return 0|"
     "null|void|const|struct|int main|def|import|lambda|echo|cat|chmod|chown|union|join"},

    {"where", NULL, VT_WEIGHT_WORD,
     "where|wheres|where abouts|whereabouts|location in memory of|in which page|in what page"},
    {"when", NULL, VT_WEIGHT_WORD,
     "when|at what time|at which time|since when|what time did|what time was|how long ago|"
     "start time|start time of|starting time of"},
    {"how_long", NULL, VT_WEIGHT_WORD, "how long|for how long|since how long|how much time"},
    {"how_much", NULL, VT_WEIGHT_ASK,
     "how much|how full|how big|how large|how heavy|size of|total|total size of|amount of|"
     "how many byte of|how much of|size"},
    {"COUNT", NULL, VT_WEIGHT_ASK,
     "how many|number of|count|count of|the number of|count up|total number of|"
     "how many different"},
    {"HIGHLIGHT", NULL, VT_WEIGHT_ASK,
     "highlight|highlighted|highlighting|high light|mark|colour|color|paint|light up|light|"
     "colour in|color in|tint|outline|visualise|visualize|in the volume|in the picture|"
     "in the image|in the map|in the cube|in the 3d view|in 3d|on the map|in the view|"
     "on the picture|in the visualisation|in the visualization|in the 3d picture|"
     "in the memory picture|in the memory map|on the memory map|on screen|on the screen|"
     "in the 3d volume|in the memory volume|in the memory cube|in the ram picture|"
     "in the ram volume"},

    /* Things. */
    {"process", NULL, VT_WEIGHT_WORD,
     "process|ps|process table|process list|task list|list of process|proc|task|program|"
     "programme|app|application|command|job|daemon|service|server|executable|running process|"
     "running program|running task|software|procs|binary|instance"},
    {"kernel_thread", NULL, VT_WEIGHT_WORD,
     "kthread|kernel thread|kernel task|kernel process|kernel worker|kworker thread|"
     "kernel daemon"},
    {"user_process", NULL, VT_WEIGHT_WORD,
     "user process|userspace process|user space process|userland process|user mode process|"
     "user program|user task|non kernel process|normal process|userspace program|"
     "not kernel thread|not a kernel thread|userland program|ordinary process"},
    {"tree", NULL, VT_WEIGHT_WORD,
     "process tree|tree|pstree|process hierarchy|hierarchy|task tree|family tree"},
    {"STATE", "zombie", VT_WEIGHT_WORD, "zombie|zombie process|zombies|defunct|defunct process"},
    {"STATE", "sleeping", VT_WEIGHT_WORD, "sleeping|asleep|idle|waiting|blocked|sleeping process"},
    {"STATE", "stopped", VT_WEIGHT_WORD,
     "suspended|stopped process|suspended process|paused|frozen"},
    {"STATE", "running", VT_WEIGHT_WORD,
     "runnable|on a cpu|on cpu|on the cpu|on a processor|actually running|really running|"
     "on a core|scheduled|executing on a cpu|actually executing"},
    {"newest", NULL, VT_WEIGHT_WORD,
     "newest|youngest|latest|most recently started|started last|last started"},
    {"oldest", NULL, VT_WEIGHT_WORD,
     "oldest|first started|longest running|long running|longest|started first|longest lived"},
    {"kernel", NULL, VT_WEIGHT_WORD,
     "kernel|linux|linux kernel|kernel image|vmlinux|kernel binary|kernel space|kernelspace|"
     "kernel side|kern|kernel mode"},
    {"system", NULL, VT_WEIGHT_WORD, "operating system|os|distro|distribution|os version"},
    {"vm", NULL, VT_WEIGHT_LIGHT,
     "vm|guest|machine|virtual machine|computer|box|system|guest os|vms|guest system|"
     "platform|virtual server|environment here"},
    {"memory", NULL, VT_WEIGHT_WORD,
     "memory|ram|mem|address space|memory map|memory mapping|memory region|memory area|"
     "memory segment|memory layout|memory range|region|mapping|vma|map|segment|memory page|page|"
     "virtual memory|physical memory|physical page|physical address space|physical range|"
     "memory block|memory footprint|rss|resident memory|resident set|memory usage|"
     "virtual address space|memory consumption|memory space|main memory|pages of memory|"
     "footprint|resident set size"},
    {"process_memory", NULL, VT_WEIGHT_WORD,
     "process memory|user memory|userspace memory|user space memory|memory of all process|"
     "memory of every process|memory of each process"},
    {"mapped", NULL, VT_WEIGHT_WORD,
     "mapped|link|link against|link with|linked|linked against|linked with|linked to|mapped in|"
     "mapped into|maps into"},
    {"AREA", "stack", VT_WEIGHT_WORD,
     "stack|call stack|callstack|stack memory|stack area|stack region|stack segment|stack page|"
     "stack space"},
    {"ustack", NULL, VT_WEIGHT_WORD,
     "user stack|userspace stack|user space stack|user mode stack|process stack|program stack|"
     "userland stack"},
    {"AREA", "heap", VT_WEIGHT_WORD,
     "heap|heap memory|heap area|heap region|heap segment|brk|brk area|malloc area|"
     "malloc memory|malloc heap|heap space|heap page"},
    {"AREA", "code", VT_WEIGHT_WORD,
     "code|text|text segment|code segment|machine code|program code|instruction|text section|"
     "code section|.text|code page|code area|executable code|program text|code region|"
     "code memory"},
    {"AREA", "data", VT_WEIGHT_WORD,
     "data|bss|data segment|global variable|globals|data section|.data|.bss|static data|"
     "data area|static variable|data page"},
    {"AREA", "files", VT_WEIGHT_WORD,
     "mapped file|memory mapped file|file mapping|mmap|mmapped file|mmaped file|"
     "file backed memory|file mapped memory|file backed mapping|file backed page|mmap file"},
    {"AREA", "libraries", VT_WEIGHT_WORD,
     "library|lib|shared library|shared object|dso|dynamic library|loaded library|"
     "linked library|shared lib|.so file|so file"},
    {"AREA", "anon", VT_WEIGHT_WORD,
     "anonymous memory|anon memory|anonymous|anon|anonymous mapping|anonymous region|"
     "anonymous page|private memory|anon page|anonymous area"},
    {"AREA", "executable", VT_WEIGHT_WORD,
     "executable memory|executable region|executable page|executable mapping|executable area|"
     "executable segment"},
    {"AREA", "writable", VT_WEIGHT_WORD,
     "writable|writeable|writable memory|writeable memory|writable region|writable page|"
     "writeable page|writable mapping|writeable region|writable area"},
    {"AREA", "shared", VT_WEIGHT_WORD,
     "shared memory|shm|shared memory segment|shared mapping|shared region|shared page|"
     "shared area"},
    {"page_tables", NULL, VT_WEIGHT_WORD,
     "page table|pagetable|page-table|pgd|cr3|pml4|page directory|page table root|"
     "address translation|translation table|paging structure|page table entry|pte|ptes|page map|"
     "page table tree|pagetable entry|paging table|page table page|page table hierarchy|"
     "tlb root|page mapping table"},
    {"translate", NULL, VT_WEIGHT_WORD,
     "translate|translation of|physical address|physical address of|convert|resolve|"
     "physical frame|virtual to physical|walk|physical location|page frame|mapped to|map to"},

    /* The kernel's memory. */
    {"KAREA", "slab", VT_WEIGHT_WORD,
     "slab|slab cache|slab allocation|slab memory|slab page|slab allocator|kmalloc|"
     "kmalloc memory|kmalloc allocation|object cache|kmem cache|slabinfo|slub|kernel heap|"
     "slab object|kmem|slab cache object|cache of object|kernel object cache"},
    {"KAREA", "vmalloc", VT_WEIGHT_WORD,
     "vmalloc|vmalloc area|vmalloc memory|vmalloc region|vmalloc allocation|vmap|vmalloc space|"
     "ioremap|vmallocinfo"},
    {"KAREA", "page_cache", VT_WEIGHT_WORD,
     "page cache|pagecache|file cache|disk cache|cached file|cached page|cached file page|"
     "buffer cache|file page cache|cached data|buffers"},
    {"KAREA", "allocations", VT_WEIGHT_WORD,
     "kernel memory allocation|kernel allocation|kernel alloc|kernel mem alloc|"
     "kernel dynamic memory|memory allocated by the kernel|memory the kernel allocated|"
     "memory allocation of the kernel|allocation of the kernel|memory allocation by the kernel|"
     "allocation by the kernel|kernel allocated memory|memory that the kernel allocated|"
     "memory the kernel has allocated|memory that the kernel has allocated|"
     "kernel mem allocation|allocation made by the kernel|allocation in the kernel|"
     "memory allocation in the kernel|memory allocation made by the kernel|kernel's allocation"},
    {"allocation", NULL, VT_WEIGHT_WORD,
     "allocation|allocated|alloc|memory allocation|allocated memory|allocates|allocate|"
     "dynamic memory|mem alloc|mem allocation|dynamic allocation"},
    {"free", NULL, VT_WEIGHT_WORD,
     "free|unused|available memory|spare|left|free memory|free ram|unused memory|free page|"
     "unused ram|unused page|remaining"},
    {"installed", NULL, VT_WEIGHT_WORD, "installed|in place|set up"},
    {"used", NULL, VT_WEIGHT_WORD,
     "use|using|used|uses|usage|utilisation|utilization|consume|consuming|consumed|consumption|"
     "take|taking|takes|taken|occupy|occupying|occupied|take up|taking up|eat|eating|eats|"
     "eat up|eating up|need most|hog all|hogging|burn|burning|footprint of|gobble|gobbling|suck|"
     "drain|draining|in use|spend|spending"},

    /* Modules, mounts, files. */
    {"module", NULL, VT_WEIGHT_WORD,
     "module|kernel module|driver|kernel driver|device driver|kmod|lkm|loadable module|"
     "loadable kernel module|kernel extension|lsmod|loaded module|kernel mod|linux module"},
    {"load", NULL, VT_WEIGHT_WORD,
     "load|loaded|loading|insmod|modprobed|inserted|unload|unloaded|unloading"},
    {"FSTYPE", "proc", VT_WEIGHT_WORD,
     "procfs|proc mount|proc mounted|proc file system|proc filesystem|mounted proc|proc fs"},
    {"FSTYPE", "overlay", VT_WEIGHT_WORD, "overlayfs"},
    {"mount", NULL, VT_WEIGHT_WORD,
     "mount|mounted|mount point|mountpoint|mount table|mount list|file system|filesystem|"
     "mounted file system|mounted filesystem|fs|mounted disk|mounted on|mounted at|mounting|"
     "disk|drive|partition|mounted partition|mounted drive|storage|mounted volume|df|unmounted|"
     "disk volume"},
    {"FSTYPE", NULL, VT_WEIGHT_WORD,
     "ext2|ext3|ext4|xfs|btrfs|tmpfs|sysfs|nfs|nfs4|cifs|smb3|overlay|fuse|"
     "vfat|squashfs|iso9660|zfs|f2fs|devtmpfs|cgroup2|9p|virtiofs|ramfs|debugfs|tracefs|"
     "securityfs|hugetlbfs|mqueue|devpts|erofs|jfs|reiserfs|ntfs3|exfat|bpffs"},
    {"file", NULL, VT_WEIGHT_WORD,
     "file|file descriptor|descriptor|fd|file handle|regular file|directory|folder|document|"
     "log file"},
    {"open_file", NULL, VT_WEIGHT_WORD,
     "open file|lsof|opened file|open file descriptor|open descriptor|open handle|open fd|"
     "open file handle|file that are open|file which are open|file currently open|"
     "open filehandle"},
    {"deleted", NULL, VT_WEIGHT_WORD,
     "deleted file|deleted but open|deleted but still open|unlinked file|unlinked|deleted|"
     "removed file"},
    {"open", NULL, VT_WEIGHT_WORD, "open|opened|opens|opening"},
    {"read", NULL, VT_WEIGHT_WORD,
     "read|reading|reads|access|accessing|accessed|touching|lock|locking|locks|locked|busy with"},

    /* Network. */
    {"listen", NULL, VT_WEIGHT_WORD,
     "listen|listening|listens|listener|listened|bound|bind|binds|bound to|binding|serving on|"
     "accept connection|accepting connection|accepts connection|wait for connection|"
     "waiting for connection|listening socket|listening process|reachable|exposed|"
     "accessible from outside|listening service|listening server|listening program"},
    {"port", NULL, VT_WEIGHT_WORD,
     "port|port number|network port|listening port|port no|portnumber"},
    {"open_port", NULL, VT_WEIGHT_WORD,
     "open port|open network port|opened port|port that are open|port which are open|"
     "exposed port|network service|server socket|exposed service|attack surface"},
    {"PROTO", "tcp", VT_WEIGHT_WORD, "tcp|tcp/ip|tcp6|tcp4"},
    {"PROTO", "udp", VT_WEIGHT_WORD, "udp|udp6|udp4"},
    {"PROTO", "unix", VT_WEIGHT_WORD, "unix|unix domain|local socket|unix-domain|af_unix|uds"},
    {"socket", NULL, VT_WEIGHT_WORD, "socket|network socket|open socket"},
    {"connection", NULL, VT_WEIGHT_WORD,
     "connection|logged in|signed in|connected|connect|connects|connecting|connected to|"
     "network connection|established|established connection|active connection|peer|session|"
     "network session|network peer|netstat|network activity|network traffic|client|"
     "connected client|open connection|live connection|outgoing connection|incoming connection|"
     "outbound connection|inbound connection|remote connection|remote host|remote address|"
     "internet connection|current connection|ongoing connection"},
    {"talk", NULL, VT_WEIGHT_WORD,
     "talk|talking|talks|speak|speaking|communicate|communicating|communicates|communication|"
     "exchanging data|phoning home|call home|talking to"},
    {"network", NULL, VT_WEIGHT_WORD, "network|net|networking|internet|online"},

    /* Symbols and addresses. */
    {"symbol", NULL, VT_WEIGHT_WORD,
     "symbol|kernel symbol|function|kernel function|kernel variable|variable|kernel global|"
     "routine|syscall handler|kallsyms|kernel object"},
    {"KSYMBOL", "sys_call_table", VT_WEIGHT_WORD,
     "address of the syscall table|address of the system call table|address of syscall table|"
     "syscall table address|system call table address|location of the syscall table|"
     "where is the syscall table|where is the system call table"},
    {"KSYMBOL", "idt_table", VT_WEIGHT_WORD,
     "address of the interrupt table|address of the idt|address of the interrupt descriptor table|"
     "where is the idt|where is the interrupt descriptor table"},
    {"address", NULL, VT_WEIGHT_WORD,
     "address|address of|address for|virtual address of|which address|what address|"
     "at which address|at what address|at which physical address|virtual address|kernel address|"
     "memory address|pointer|location|memory location|addr|linear address|instruction pointer|"
     "offset"},
    {"lives", NULL, VT_WEIGHT_WORD,
     "lives|living|reside|resides|residing|located|lie|lies|sit|sits|sitting|stored|placed|"
     "found|kept|stays|loaded at|loaded in memory|stand|resident|point|points|points to|belong|"
     "belongs|hide out"},

    /* Time. */
    {"UNIT", "1", VT_WEIGHT_WORD, "second|sec"},
    {"UNIT", "60", VT_WEIGHT_WORD, "minute|min|minut"},
    {"UNIT", "3600", VT_WEIGHT_WORD, "hour|hr"},
    {"UNIT", "86400", VT_WEIGHT_WORD, "day"},
    {"UNIT", "604800", VT_WEIGHT_WORD, "week"},
    {"UNIT", "2592000", VT_WEIGHT_WORD, "month"},
    {"CLOCK", "0", VT_WEIGHT_WORD, "midnight"},
    {"CLOCK", "43200", VT_WEIGHT_WORD, "noon|midday|noontime"},
    {"pm", NULL, VT_WEIGHT_HEAVY, "pm|in the afternoon|in the evening"},
    {"yesterday", NULL, VT_WEIGHT_WORD, "yesterday"},
    {"BYTES", "1", VT_WEIGHT_WORD, "byte"},
    {"BYTES", "1024", VT_WEIGHT_WORD, "kb|kib|kilobyte|kibibyte|kbyte"},
    {"BYTES", "1048576", VT_WEIGHT_WORD, "mb|mib|megabyte|mebibyte|meg|mbyte"},
    {"BYTES", "1073741824", VT_WEIGHT_WORD, "gb|gib|gigabyte|gibibyte|gig|gbyte"},
    {"BYTES", "1099511627776", VT_WEIGHT_WORD, "tb|tib|terabyte|tebibyte"},
    {"last", NULL, VT_WEIGHT_WORD, "last|past|previous|preceding|final|latest few|most recent"},
    {"since", NULL, VT_WEIGHT_WORD, "since"},
    {"ago", NULL, VT_WEIGHT_WORD, "ago|earlier|back|before now"},
    {"ONCE", "ever", VT_WEIGHT_WORD,
     "since boot|since it booted|since booting|since startup|since the start|since start up|"
     "since the beginning|since it started|since power on|ever|since boot time|"
     "since the vm booted|since the vm started|since the guest booted|since the machine booted|"
     "since the system booted|since reboot|since the last boot|since last boot|"
     "since the last reboot|since launch|since forever|so far|of all time|since it came up|"
     "since the boot"},
    {"ONCE", "day", VT_WEIGHT_WORD,
     "since yesterday|today|in the last day|the last day|past day|within a day|"
     "since this morning"},
    {"ONCE", "moment", VT_WEIGHT_WORD,
     "just now|a moment ago|moments ago|this second|this very second|a second ago|"
     "the last second|in the last second|since a second ago|this instant"},
    {"ONCE", "minute", VT_WEIGHT_WORD,
     "this minute|the last minute|in the last minute|since a minute ago|since one minute ago|"
     "the past minute"},
    {"ONCE", "hour", VT_WEIGHT_WORD,
     "this hour|the last hour|in the last hour|since an hour ago|the past hour"},
    {"half", NULL, VT_WEIGHT_WORD, "half|half a|half an"},
    {"quarter", NULL, VT_WEIGHT_WORD, "quarter of an|a quarter of an"},
    {"RECENT", NULL, VT_WEIGHT_WORD,
     "recently|recent|lately|of late|newly|in recent time|freshly|a short while ago|"
     "a little while ago|a while ago|a short time ago|not long ago|in the recent past"},
    {"NUMERAL", "1", VT_WEIGHT_WORD, "single"},
    {"NUMERAL", "2", VT_WEIGHT_WORD, "two|couple of|a couple of|couple"},
    {"NUMERAL", "3", VT_WEIGHT_WORD, "three"},
    {"NUMERAL", "4", VT_WEIGHT_WORD, "four"},
    {"NUMERAL", "5", VT_WEIGHT_WORD, "five|few|a few|several"},
    {"NUMERAL", "6", VT_WEIGHT_WORD, "six"},
    {"NUMERAL", "7", VT_WEIGHT_WORD, "seven"},
    {"NUMERAL", "8", VT_WEIGHT_WORD, "eight"},
    {"NUMERAL", "9", VT_WEIGHT_WORD, "nine"},
    {"NUMERAL", "10", VT_WEIGHT_WORD, "ten"},
    {"NUMERAL", "12", VT_WEIGHT_WORD, "twelve|a dozen|dozen"},
    {"NUMERAL", "15", VT_WEIGHT_WORD, "fifteen"},
    {"NUMERAL", "20", VT_WEIGHT_WORD, "twenty"},
    {"NUMERAL", "30", VT_WEIGHT_WORD, "thirty"},
    {"NUMERAL", "45", VT_WEIGHT_WORD, "forty five|forty-five"},
    {"NUMERAL", "60", VT_WEIGHT_WORD, "sixty"},
    {"NUMERAL", "100", VT_WEIGHT_WORD, "hundred|a hundred|one hundred"},

    /* What happens. */
    {"run", NULL, VT_WEIGHT_WORD,
     "run|runs|running|alive|active|executing|executed|execute|executes|up|up and running|doing|"
     "working|at work|operating|going|started up|present in memory|up to|in progress|"
     "happening now"},
    {"ran", NULL, VT_WEIGHT_WORD,
     "ran|used to run|was running|were running|had run|has run|have run|has been running|"
     "have been running|was run|were run|have ever run"},
    {"change", NULL, VT_WEIGHT_WORD,
     "change|changed|changes|changing|difference|different|differ|diff|delta|happened|happen|"
     "happening|happens|event|activity|new thing|going on|went on|occurred|occur|strike|struck|"
     "triggered|trigger|kicked in|kick in|took place|become different|altered|appeared|"
     "appear new|modification|evolved|evolve|what is new|news"},
    {"new", NULL, VT_WEIGHT_WORD,
     "new|added|created|made|arrived|came up|appeared newly|popped up"},
    {"most", NULL, VT_WEIGHT_WORD,
     "most|highest|greatest|greediest|the most|using the most|"
     "hungriest|most hungry|worst|main|a lot of|lots of|too much|so much|"
     "much|ranking|rank|ranked|sort|sorted|order|ordered|sorted by|ordered by|ranked by|leading"},
    {"big", NULL, VT_WEIGHT_WORD, "biggest|largest|heaviest|fattest|huge|heavy|big|large|hugest"},
    {"top", NULL, VT_WEIGHT_WORD, "top"},
    {"first", NULL, VT_WEIGHT_WORD, "first"},
    {"memory_hog", NULL, VT_WEIGHT_WORD,
     "memory user|memory consumer|memory hog|ram user|ram hog|ram consumer|memory eater|"
     "ram eater|mem hog|mem user|user of memory|consumer of memory|user of ram|consumer of ram|"
     "memory guzzler"},
    {"hog", NULL, VT_WEIGHT_WORD,
     "hog|eater|consumer|user of|guzzler|heavyweight|offender|culprit"},
    {"CPU", NULL, VT_WEIGHT_WORD,
     "cpu|processor|cpu time|cpu usage|processor time|processing time|core|cpu core|vcpu|"
     "virtual cpu|cpu cycle|processing power|cpu load|compute"},
    {"busiest", NULL, VT_WEIGHT_WORD,
     "busiest|hardest working|most active|most busy|busiest process|burning cpu"},
    {"write", NULL, VT_WEIGHT_WORD,
     "write|wrote|written|writes|writing|modified|modify|modifies|modifying|touched|touch|"
     "update|updated|updating|dirtied|overwritten|being written|memory write"},
    {"dirty", NULL, VT_WEIGHT_WORD,
     "dirty|dirty page|dirty memory|hot page|hot memory|hot region|hottest page|hottest memory|"
     "hot spot|recently written memory|recently written page|dirty region|hottest region|"
     "working set"},
    {"start", NULL, VT_WEIGHT_WORD,
     "start|started|starts|starting|launched|launch|spawned|spawn|began|begin|begun|born|"
     "created process|forked|came alive|come to life|fired up|brought up|started running|"
     "start running|begin running|started process"},
    {"end", NULL, VT_WEIGHT_WORD,
     "end|ended|ends|ending|stop|stops|exit|exited|exits|died|die|dies|dead|quit|stopped|"
     "terminated|"
     "terminate|terminates|crashed|crash|finished|finish|finishes|killed|gone|go away|went away|"
     "disappeared|disappear|vanished|vanish|no longer running|no longer run|no longer there|"
     "not running any more|not running anymore|not run any more|not there any more|"
     "not there anymore|stopped running|stop running|shut down process|ran and ended|"
     "ran and exited|run and ended|ran and finished|ran and died|ran but ended|ran but is gone|"
     "came and went|been terminated|has terminated|no longer alive|no longer exist|perished|"
     "went down|gone down|go down|come to an end|has ended|passed away|was stopped"},
    {"restart", NULL, VT_WEIGHT_WORD,
     "restart|restarts|restarted|respawned|been restarted|started again|come back|came "
     "back|relaunched"},
    {"history", NULL, VT_WEIGHT_WORD,
     "history|process history|past process|previous process|former process|timeline|history of|"
     "old process"},
    {"ended_process", NULL, VT_WEIGHT_WORD,
     "exited process|ended process|dead process|terminated process|finished process|"
     "killed process|process that ended|process that exited|process that died|"
     "process that stopped|process which ended|process which exited|process which died"},
    {"boot", NULL, VT_WEIGHT_WORD,
     "boot|booted|boots|booting|boot time|reboot|rebooted|boot up|booted up|come up|powered on|"
     "turned on|switched on|last reboot|last boot"},
    {"uptime", NULL, VT_WEIGHT_WORD,
     "uptime|up time|up-time|up since|running since|been up|been running|been on|been alive|"
     "been active|runtime|run time|age"},
    {"version", NULL, VT_WEIGHT_WORD,
     "version|release|uname|banner|build|kernel version|kernel release|version number|"
     "kernel build|linux version|kernel banner|build id|version of|flavour|flavor|uname -a|"
     "uname -r"},
    {"load_average", NULL, VT_WEIGHT_WORD,
     "load average|system load|loadavg|load avg|busy|under load|stressed|overloaded|how busy|"
     "the load|workload"},
    {"host_name", NULL, VT_WEIGHT_WORD,
     "hostname|host name|machine called|vm called|guest called|box called|computer called|"
     "server called|node name|nodename|name of the vm|name of the guest|"
     "name of the machine|name of the host|name of this host|machine name|computer name"},
    {"swap", NULL, VT_WEIGHT_WORD,
     "swap|swap space|swap file|swap partition|swap area|swap memory|swapping|swapped|"
     "swapped out|swap usage"},
    {"clock", NULL, VT_WEIGHT_WORD,
     "time|clock|date|what time is it|time of day|current time|system time|wall clock|"
     "local time|system clock|time and date|date and time|what day is it"},

    /* The kernel's messages. */
    {"log", NULL, VT_WEIGHT_WORD,
     "log|kernel log|kernel message|dmesg|log message|message|kernel logs|ring buffer|"
     "kernel ring buffer|printk|log buffer|system log|log line|line|log entry|"
     "kernel log message|kernel output|kernel print|kernel console|console message|boot message|"
     "boot log|kernel message log|kernel log buffer|line of dmesg|kernel printed|printk buffer|"
     "kernel line|kernel log line|line of the kernel log|kernel messages log|kernel log entry|"
     "log output"},
    {"error", NULL, VT_WEIGHT_WORD,
     "error|failure|problem|oops|panic|kernel panic|kernel oops|kernel error|kernel bug|bug|"
     "fault|trouble|kernel crash|log error|error message|kernel problem|issue|failed|"
     "error in dmesg|kernel fault|fail|panicked|oopsed|kernel failure|critical message"},
    {"warning", NULL, VT_WEIGHT_WORD,
     "warning|kernel warning|warn|complaint|complain|complaining|complained|warned|warnings"},
    {"TOPIC", "segfault", VT_WEIGHT_WORD,
     "segfault|segmentation fault|seg fault|segmentation violation"},
    {"TOPIC", "lockup", VT_WEIGHT_WORD, "lockup|soft lockup|hard lockup|hung task|deadlock"},
    {"TOPIC", "oom", VT_WEIGHT_WORD,
     "oom|out of memory|oom killer|oom kill|out-of-memory|ran out of memory|run out of memory|"
     "running out of memory"},

    /* Trust. */
    {"suspicious", NULL, VT_WEIGHT_WORD,
     "suspicious|compromised|compromise|hacked|infected|infection|tampered|tampered with|"
     "tampering|rootkit|rootkits|malware|malicious|virus|viruses|trojan|backdoor|backdoored|"
     "intruder|intrusion|attacker|hacker|pwned|rooted|breached|breach|strange|odd|weird|fishy|"
     "unusual|shady|evil|dodgy|dubious|bad thing|wrong|anomaly|anomalies|abnormal|spyware|safe|"
     "clean|secure|trustworthy|trust|trusted|healthy|integrity|integrity check|security problem|"
     "security issue|security check|sign of compromise|sign of an attack|sign of attack|"
     "sanity check|indicator of compromise|under attack|attacked|threat|intact|genuine|"
     "untouched|authentic|unsafe|untrusted|can i trust|implant|sneaky|stealthy|stealth|cheating|"
     "security finding|sus|forged|abnormality|finding|subverted|crypto miner|cryptominer|miner|"
     "spying"},
    {"hidden", NULL, VT_WEIGHT_WORD,
     "hidden|hide|hiding|hides|hid|concealed|conceal|concealing|invisible|secret|secretly|"
     "unlisted|out of sight|cloaked|lurking|lurk"},
    {"hook", NULL, VT_WEIGHT_WORD,
     "hook|hooked|hooking|inline hook|function hook|patched|detour|trampoline|kernel hook|patch|"
     "diverted|redirected|intercepted|intercept|hijacked|hijack|hijacking|keylogger|key logger"},
    {"inject", NULL, VT_WEIGHT_WORD,
     "injected|rwx|rwx memory|rwx region|rwx page|rwx mapping|inject|injection|code injection|"
     "injected code|shellcode|shell code|malfind|unbacked code|injected memory|"
     "injected shellcode"},
    {"sniff", NULL, VT_WEIGHT_WORD,
     "sniffer|sniffing|sniff|packet sniffer|packet capture|promiscuous|promiscuous mode|"
     "capturing packet|captures packet|eavesdropping|eavesdrop|wiretap|"
     "listening in on the network|packet socket|raw socket"},

    /* About processes. */
    {"pid", NULL, VT_WEIGHT_WORD,
     "pid|process id|process number|process identifier|task id|process no|pid number|pid no|"
     "tgid|process with pid|process with id|process with number"},
    {"uid", NULL, VT_WEIGHT_WORD, "uid|user id|user number|userid|user with id|user with uid"},
    {"MOUNTPATH", "/", VT_WEIGHT_WORD,
     "root file system|root filesystem|rootfs|root fs|root partition"},
    {"UID", "0", VT_WEIGHT_WORD,
     "root|superuser|super user|root user|user root|root privilege|root right|root account|"
     "administrator|admin"},
    {"user", NULL, VT_WEIGHT_WORD, "user|account|username|user name|user account|identity"},
    {"called", NULL, VT_WEIGHT_LIGHT,
     "called|named|by the name of|by the name|name is|whose name is|that is called|"
     "that is named|which is called|with the name|with name|known as|by name"},
    {"name", NULL, VT_WEIGHT_WORD, "name"},
    {"parent", NULL, VT_WEIGHT_WORD, "parent|parent process|ppid|creator|parent pid|father|mother"},
    {"ancestor", NULL, VT_WEIGHT_WORD,
     "ancestor|ancestor process|ancestry|forefather|grandparent|lineage|line of descent|"
     "parent chain|chain of parent"},
    {"child", NULL, VT_WEIGHT_WORD,
     "child|children|child process|subprocess|sub process|descendant|offspring|kid|"
     "children process|sub-process|child task"},
    {"arguments", NULL, VT_WEIGHT_WORD,
     "argument|command line|commandline|cmdline|command line argument|args|argv|parameter|"
     "command-line|option|cmd line|flags it was started with|startup argument"},
    {"serve", NULL, VT_WEIGHT_WORD,
     "serve|serves|serving|answer|handle|handles|handling|provide|provides|providing|offer|"
     "offers|offering|responsible|responsible for|in charge of|take care of|takes care of|"
     "taking care of|manage|manages|managing|implement|implementing|host|hosting|hosts|act|acts|"
     "acting|act as|powers|powering"},

    /* What else the kernel keeps; the value is a noun's name. */
    {"NOUN", "threads", VT_WEIGHT_WORD,
     "thread|user thread|tid|thread id|lwp|execution thread|thread list"},
    {"NOUN", "env", VT_WEIGHT_WORD,
     "environment|environment variable|env|env var|env variable|environ|environment block|"
     "environment setting"},
    {"NOUN", "creds", VT_WEIGHT_WORD,
     "credential|cred|user and group|uid and gid|group id|supplementary group|gid|"
     "user id and group id"},
    {"NOUN", "capabilities", VT_WEIGHT_WORD,
     "capability|capabilities|privilege|linux capability|permission|seccomp|seccomp filter|"
     "rights"},
    {"NOUN", "namespaces", VT_WEIGHT_WORD,
     "namespace|pid namespace|network namespace|mount namespace|user namespace|linux namespace|"
     "netns"},
    {"NOUN", "cgroups", VT_WEIGHT_WORD,
     "cgroup|control group|c group|cgroups|cgroup v2|resource group|cgroup tree"},
    {"NOUN", "timers", VT_WEIGHT_WORD,
     "timer|scheduled work|hrtimer|pending timer|delayed work|kernel timer|workqueue|work queue|"
     "pending work|alarm"},
    {"NOUN", "zones", VT_WEIGHT_WORD,
     "zone|memory zone|zoneinfo|buddy allocator|buddyinfo|free list"},
    {"NOUN", "net", VT_WEIGHT_WORD,
     "network interface|interface|nic|network card|ip address|ip|ifconfig|ip addr|"
     "network device|mac address|net interface|network adapter|ethernet|ethernet interface|"
     "net device|network configuration|network config|link state|ip addresses"},
    {"NOUN", "routes", VT_WEIGHT_WORD,
     "route|routing table|default route|default gateway|gateway|routing|ip route|network route"},
    {"NOUN", "neighbours", VT_WEIGHT_WORD,
     "neighbour|neighbor|arp table|arp cache|arp|neighbour table|neighbor table|"
     "hardware address|arp entry|neighbour cache"},
    {"NOUN", "netfilter", VT_WEIGHT_WORD,
     "netfilter|netfilter hook|packet filter|packet filter hook|iptables rule|firewall rule|"
     "nftables rule|nftable|packet hook|network hook"},
    {"NOUN", "syscalls", VT_WEIGHT_WORD,
     "syscall|system call|system call table|syscall table|sys_call_table|syscall entry"},
    {"NOUN", "idt", VT_WEIGHT_WORD,
     "idt|interrupt descriptor table|interrupt table|interrupt vector|interrupt handler|"
     "interrupt|irq|exception handler|interrupt gate"},
    {"NOUN", "ftrace", VT_WEIGHT_WORD,
     "ftrace|function tracer|tracer|ftrace hook|function trace|traced function|ftrace ops"},
    {"NOUN", "kprobes", VT_WEIGHT_WORD, "kprobe|kernel probe|probe|kretprobe|kprobes|jprobe"},
    {"NOUN", "notifiers", VT_WEIGHT_WORD,
     "notifier|notifier chain|notification chain|notifier callback|keyboard notifier"},
    {"NOUN", "ttys", VT_WEIGHT_WORD,
     "tty|ttys|terminal line|pty|pseudo terminal|pts|serial line|terminal device"},
    {"NOUN", "bpf", VT_WEIGHT_WORD,
     "bpf|ebpf|bpf program|ebpf program|bpf prog|loaded bpf program|ebpf prog"},
    {"NOUN", "bpfmaps", VT_WEIGHT_WORD, "bpf map|ebpf map|bpfmap"},
    {"NOUN", "bpflinks", VT_WEIGHT_WORD, "bpf link|ebpf link|bpf attachment|bpflink"},

    /* Roles: names of semantic/roles.h. */
    {"ROLE", "ssh", VT_WEIGHT_WORD,
     "ssh|secure shell|openssh|remote login|remote shell|ssh access"},
    {"ROLE", "web", VT_WEIGHT_WORD,
     "web|http|https|webserver|web page|website|www|web site|web traffic|http server software|"
     "web service|html page|webpage|web request|http request|http traffic|web content"},
    {"ROLE", "dns", VT_WEIGHT_WORD,
     "dns|name resolution|resolver|domain name|name server|nameserver|dns resolver|"
     "domain name system|dns resolution|dns query|dns lookup|host name resolution|name lookup"},
    {"ROLE", "database", VT_WEIGHT_WORD,
     "database|db|sql|sql database|rdbms|data base|dbms|key value store|databases|nosql|"
     "db engine|database engine|sql query"},
    {"ROLE", "mail", VT_WEIGHT_WORD,
     "mail|email|e-mail|smtp|imap|pop3|mta|mail transfer agent|mail delivery|mail transport"},
    {"ROLE", "shell", VT_WEIGHT_WORD,
     "shell|command shell|interactive shell|unix shell|command interpreter|command prompt|"
     "login shell|root shell"},
    {"ROLE", "cron", VT_WEIGHT_WORD,
     "cron|scheduler|job scheduler|task scheduler|cron job|crontab|scheduled job|scheduled task|"
     "periodic job"},
    {"ROLE", "log", VT_WEIGHT_WORD,
     "syslog|log daemon|logging daemon|logger|log service|logging service|logging|log server|"
     "journal|system logger|log collector|syslog daemon|log process"},
    {"ROLE", "audit", VT_WEIGHT_WORD, "audit|audit daemon|auditing|audit log|audit service"},
    {"ROLE", "init", VT_WEIGHT_WORD,
     "init|init process|init system|first process|process one|service manager|pid one"},
    {"ROLE", "container", VT_WEIGHT_WORD,
     "container|container engine|container runtime|kubernetes|k8s|container manager|containers"},
    {"ROLE", "virtualization", VT_WEIGHT_WORD,
     "hypervisor|virtualisation|virtualization|nested vm|guest agent|nested virtual machine|"
     "virtual machine monitor|vmm"},
    {"ROLE", "dhcp", VT_WEIGHT_WORD,
     "dhcp|dhcp client|dhcp server|address assignment|ip address assignment|dhcp lease"},
    {"ROLE", "ntp", VT_WEIGHT_WORD,
     "ntp|time sync|time synchronisation|time synchronization|clock sync|time daemon|"
     "time server|clock synchronisation|clock synchronization|ntp client|time service|"
     "clock daemon|time keeping|timekeeping"},
    {"ROLE", "network", VT_WEIGHT_WORD,
     "network manager|network management|network daemon|wifi|wi-fi|wireless|wlan|"
     "network config daemon|network manager daemon"},
    {"ROLE", "editor", VT_WEIGHT_WORD, "editor|text editor|code editor"},
    {"ROLE", "compiler", VT_WEIGHT_WORD,
     "compiler|c compiler|compilation|build job|linker|compiler process"},
    {"ROLE", "debugger", VT_WEIGHT_WORD, "debugger|tracing tool|debugging tool|system call tracer"},
    {"ROLE", "interpreter", VT_WEIGHT_WORD,
     "interpreter|script interpreter|scripting language|script"},
    {"ROLE", "terminal", VT_WEIGHT_WORD,
     "terminal|terminal emulator|console|login prompt|terminal window|terminal multiplexer"},
    {"ROLE", "login", VT_WEIGHT_WORD,
     "login|login manager|display manager|login daemon|login service|authentication|"
     "session manager|login process"},
    {"ROLE", "directory", VT_WEIGHT_WORD,
     "ldap|directory service|kerberos|active directory|radius|directory server|nis|"
     "user directory"},
    {"ROLE", "ftp", VT_WEIGHT_WORD, "ftp|sftp|tftp|file transfer|file transfer server"},
    {"ROLE", "telnet", VT_WEIGHT_WORD, "telnet|rlogin|inetd service"},
    {"ROLE", "share", VT_WEIGHT_WORD,
     "file server|file sharing|samba|smb|network file system|nfs server|file share|"
     "windows share|network share|nfs daemon|smb server|shared folder|network storage"},
    {"ROLE", "printer", VT_WEIGHT_WORD,
     "printer|printing|print spooler|print server|print service|printing service|spooler|"
     "print daemon"},
    {"ROLE", "firewall", VT_WEIGHT_WORD,
     "firewall|intrusion detection|intrusion prevention|ids|firewall daemon"},
    {"ROLE", "vpn", VT_WEIGHT_WORD,
     "vpn|wireguard|ipsec|tunnel|vpn tunnel|vpn client|virtual private network|vpn server"},
    {"ROLE", "proxy", VT_WEIGHT_WORD,
     "proxy|reverse proxy|load balancer|http proxy|web proxy|socks proxy|http cache|web cache|"
     "proxy server|balancer"},
    {"ROLE", "display", VT_WEIGHT_WORD,
     "display server|x server|x11|x11 server|wayland|compositor|window system|remote desktop|"
     "vnc|rdp|graphical display|vnc server|screen sharing|xserver|wayland compositor|"
     "windowing system|x window system"},
    {"ROLE", "desktop", VT_WEIGHT_WORD,
     "desktop|desktop environment|gui|window manager|graphical desktop|graphical interface|"
     "graphical user interface|graphical environment"},
    {"ROLE", "browser", VT_WEIGHT_WORD, "browser|web browser|internet browser"},
    {"ROLE", "bus", VT_WEIGHT_WORD, "message bus|dbus|d-bus|system bus|ipc bus|session bus"},
    {"ROLE", "queue", VT_WEIGHT_WORD,
     "message queue|message broker|mqtt|amqp|broker|queue|queueing system|mqtt broker|"
     "message queue server"},
    {"ROLE", "audio", VT_WEIGHT_WORD,
     "audio|sound|sound server|audio server|music player|music|media player|sound daemon|"
     "audio daemon"},
    {"ROLE", "device", VT_WEIGHT_WORD,
     "device manager|udev|device management|hotplug|hotplug daemon|bluetooth|power management|"
     "hardware manager"},
    {"ROLE", "package", VT_WEIGHT_WORD,
     "package manager|software update|software installer|package update|updater|"
     "software updater|package installation|upgrade job"},
    {"ROLE", "monitoring", VT_WEIGHT_WORD,
     "monitoring|monitoring agent|metric|monitoring tool|snmp|monitoring software|"
     "metrics exporter|metrics|telemetry|system monitor|monitoring daemon"},

    /* Programs by other names than their processes'; the value is their role. */
    {"PROGRAM", "database", VT_WEIGHT_WORD,
     "mysql|mongo|redis|mariadb|postgresql|mongodb|cassandra|elasticsearch|memcache|influxdb|"
     "valkey|clickhouse|opensearch"},
    {"PROGRAM", "web", VT_WEIGHT_WORD,
     "apache|apache httpd|tomcat|jetty|wordpress|django|gunicorn server|php"},
    {"PROGRAM", "container", VT_WEIGHT_WORD, "docker|lxc|docker engine|docker service"},
    {"PROGRAM", "mail", VT_WEIGHT_WORD, "postfix"},
    {"PROGRAM", "log", VT_WEIGHT_WORD, "journald|rsyslog"},
    {"PROGRAM", "ntp", VT_WEIGHT_WORD, "chrony|timesyncd|ntpdate"},
    {"PROGRAM", "login", VT_WEIGHT_WORD, "logind|polkit|pam"},
    {"PROGRAM", "dns", VT_WEIGHT_WORD, "bind9|resolved|pihole|pi-hole|powerdns"},
    {"PROGRAM", "printer", VT_WEIGHT_WORD, "cups"},
    {"PROGRAM", "audio", VT_WEIGHT_WORD, "pulse audio|jack"},
    {"PROGRAM", "network", VT_WEIGHT_WORD, "networkd|network-manager|connman"},
    {"PROGRAM", "firewall", VT_WEIGHT_WORD, "fail2ban"},
    {"PROGRAM", "vpn", VT_WEIGHT_WORD, "tailscale|zerotier|tinc"},
    {"PROGRAM", "queue", VT_WEIGHT_WORD, "rabbitmq|kafka|activemq|nats|zookeeper"},
    {"PROGRAM", "monitoring", VT_WEIGHT_WORD, "zabbix"},
    {"PROGRAM", "browser", VT_WEIGHT_WORD, "google chrome|mozilla firefox"},
    {"PROGRAM", "interpreter", VT_WEIGHT_WORD, "python|perl|ruby|node.js|java virtual machine|jvm"},
    {"PROGRAM", "device", VT_WEIGHT_WORD, "udev daemon|systemd udev"},
    {"PROGRAM", "virtualization", VT_WEIGHT_WORD, "qemu|libvirt|virtualbox|vmware"},
    {NULL, NULL, VT_WEIGHT_NONE, NULL},
};

const char vt_lexicon_orders[] =
    "kill|killall|pkill|delete|remove|rm|write|overwrite|modify|patch|stop|restart|reboot|"
    "reset|shutdown|shut|halt|start|launch|run|execute|install|uninstall|set|change|edit|"
    "create|make|unload|load|insmod|rmmod|modprobe|unmount|umount|mount|close|block|ban|inject|"
    "poke|erase|wipe|format|drop|insert|update|upgrade|downgrade|disable|enable|hide|allocate|"
    "free|pause|resume|suspend|freeze|unfreeze|send|connect|disconnect|copy|move|rename|upload|"
    "download|crash|hack|exploit|attack|terminate|end|quit|exit|save|restore|replace|add|clear|"
    "flush|truncate|touch|chmod|chown|mkdir|attach|detach|break|step|continue|signal|renice|"
    "migrate|destroy|alter|grant|revoke|put|append|zero|corrupt|fix|repair|clean|configure|"
    "reconfigure|reload|turn|switch|open|unbind|spawn|fork|ping|encrypt|decrypt|compile|build|"
    "deploy|undo|revert|prevent|limit|throttle|hook|unhook|protect|quarantine";
