/* semantic/roles.c - the table of roles. See roles.h.
 *
 * Within a role the programs that come first are the common ones. A role that stands earlier is the
 * one vt_role_of_program tells: what people would call the program. */
#include "semantic/roles.h"

#include <string.h>

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PORTS(...) ((const struct vt_role_port[]){__VA_ARGS__, {0, 0}})
#define TCP VT_ROLE_TCP
#define UDP VT_ROLE_UDP
#define BOTH (VT_ROLE_TCP | VT_ROLE_UDP)

const struct vt_role vt_roles[] = {
    {"init", "is the first process", "init process",
     LIST("init", "systemd", "openrc-init", "runit", "s6-svscan", "dinit", "tini", "dumb-init",
          "upstart"),
     NULL, NULL},
    {"ssh", "serves SSH", "SSH server",
     LIST("sshd", "sshd-session", "sshd-auth", "dropbear", "tinysshd", "lsh", "lshd"), NULL,
     PORTS({22, TCP})},
    {"web", "serves web pages", "web server",
     LIST("nginx", "apache2", "httpd", "lighttpd", "caddy", "uhttpd", "thttpd", "mini_httpd",
          "cherokee", "gunicorn*", "uwsgi", "php-fpm*", "darkhttpd", "webfsd", "nginx-debug", "h2o",
          "hypercorn", "uvicorn", "openlitespeed", "litespeed", "puma*"),
     LIST("-m http.server", "-m SimpleHTTPServer", "org.apache.catalina", "org.eclipse.jetty"),
     PORTS({80, TCP}, {443, BOTH}, {8080, TCP}, {8443, TCP}, {8000, TCP}, {8008, TCP})},
    {"proxy", "passes requests on", "proxy",
     LIST("haproxy", "squid", "envoy", "traefik", "varnishd", "privoxy", "tinyproxy", "pound",
          "stunnel*", "socat", "danted", "sockd", "microsocks", "3proxy", "tor"),
     NULL, PORTS({3128, TCP}, {1080, TCP}, {8118, TCP}, {6081, TCP}, {9050, TCP})},
    {"dns", "answers DNS", "DNS server",
     LIST("named", "dnsmasq", "unbound", "systemd-resolved", "pdns_server", "pdns_recursor",
          "coredns", "knotd", "kresd", "nsd", "bind9", "dnscrypt-proxy", "stubby", "nscd",
          "smartdns", "maradns", "tinydns", "dnscache", "dnsd"),
     NULL, PORTS({53, BOTH}, {853, TCP}, {5353, UDP})},
    {"database", "keeps a database", "database server",
     LIST("postgres", "postmaster", "mysqld", "mariadbd", "mysqld_safe", "redis-server",
          "valkey-server", "mongod", "mongos", "sqlservr", "memcached", "etcd", "cockroach",
          "clickhouse-server", "influxd", "couchdb", "oracle", "keydb-server", "firebird",
          "fbserver", "scylla", "arangod", "rethinkdb", "db2sysc", "tarantool", "neo4j",
          "victoria-metrics", "questdb", "dragonfly"),
     LIST("org.elasticsearch", "org.apache.cassandra", "org.neo4j", "org.opensearch", "org.hsqldb",
          "org.h2.tools"),
     PORTS({5432, TCP}, {3306, TCP}, {6379, TCP}, {27017, TCP}, {1433, TCP}, {1521, TCP},
           {11211, BOTH}, {9042, TCP}, {9200, TCP}, {2379, TCP}, {5984, TCP}, {8086, TCP})},
    {"mail", "handles mail", "mail server",
     LIST("exim4", "exim", "sendmail", "dovecot", "opensmtpd", "smtpd", "qmgr", "qmail-send",
          "cyrmaster", "imapd", "pop3d", "courier*", "rspamd", "spamd", "postscreen", "msmtpd",
          "haraka", "maddy", "sendmail-mta"),
     LIST("postfix/sbin/master", "postfix/master"),
     PORTS({25, TCP}, {465, TCP}, {587, TCP}, {143, TCP}, {993, TCP}, {110, TCP}, {995, TCP})},
    {"shell", "is a shell", "shell",
     LIST("bash", "sh", "ash", "dash", "zsh", "fish", "ksh", "ksh93", "mksh", "tcsh", "csh",
          "rbash", "nu", "pwsh", "elvish", "xonsh"),
     NULL, NULL},
    {"cron", "runs jobs at set times", "cron daemon",
     LIST("cron", "crond", "fcron", "anacron", "atd", "systemd-cron", "cronie", "dcron",
          "bcron-sched"),
     NULL, NULL},
    {"log", "keeps the log", "log daemon",
     LIST("rsyslogd", "syslogd", "syslog-ng", "systemd-journald", "klogd", "metalog", "socklog",
          "fluentd", "fluent-bit", "vector", "filebeat", "promtail", "logstash",
          "systemd-journal-remote"),
     LIST("org.logstash"), PORTS({514, BOTH}, {601, TCP}, {6514, TCP})},
    {"audit", "keeps the audit log", "audit daemon",
     LIST("auditd", "audispd", "sedispatch", "auditbeat"), NULL, NULL},
    {"container", "runs containers", "container engine",
     LIST("dockerd", "containerd", "containerd-shim*", "docker", "docker-proxy", "podman", "conmon",
          "crio", "runc", "crun", "kubelet", "kube-proxy", "kube-apiserver", "k3s*", "lxd",
          "incusd", "lxc-start", "lxcfs", "buildkitd", "nerdctl", "systemd-nspawn", "microk8s"),
     NULL, PORTS({2375, TCP}, {2376, TCP}, {6443, TCP}, {10250, TCP})},
    {"virtualization", "runs virtual machines", "hypervisor",
     LIST("qemu*", "libvirtd", "virtqemud", "virtlogd", "kvm", "firecracker", "cloud-hypervisor",
          "VBoxHeadless", "VBoxSVC", "vmware-vmx", "crosvm", "kvmtool", "lkvm", "qemu-ga",
          "spice-vdagentd", "vmtoolsd", "xenstored"),
     NULL, PORTS({16509, TCP})},
    {"dhcp", "hands out or asks for addresses by DHCP", "DHCP daemon",
     LIST("dhcpd", "dhclient", "dhcpcd", "udhcpc", "udhcpd", "dnsmasq", "kea-dhcp4", "kea-dhcp6",
          "odhcpd", "odhcp6c", "udhcpc6", "dhcrelay", "radvd", "systemd-networkd"),
     NULL, PORTS({67, UDP}, {68, UDP}, {546, UDP}, {547, UDP})},
    {"ntp", "keeps the time", "time daemon",
     LIST("chronyd", "ntpd", "systemd-timesyncd", "openntpd", "ntpsec", "ptp4l", "phc2sys",
          "timedatectl", "sntp", "ntpdate"),
     NULL, PORTS({123, UDP}, {319, UDP}, {320, UDP}, {323, UDP})},
    {"network", "manages the network", "network manager",
     LIST("NetworkManager", "systemd-networkd", "connmand", "wpa_supplicant", "iwd", "hostapd",
          "netifd", "wicked", "wickedd", "ifplugd", "ModemManager", "nm-dispatcher", "dhcpcd",
          "networkd-dispatcher", "pppd"),
     NULL, NULL},
    {"editor", "is a text editor", "text editor",
     LIST("vim", "vi", "nvim", "nano", "emacs*", "ed", "pico", "joe", "jed", "micro", "kak", "hx",
          "helix", "gedit", "kate", "code", "code-server", "vim.basic", "vim.tiny", "subl",
          "sublime_text", "mousepad", "mcedit"),
     NULL, NULL},
    {"compiler", "compiles programs", "compiler",
     LIST("gcc*", "g++*", "cc1", "cc1plus", "cc", "c++", "clang*", "rustc", "cargo", "ld", "ld.lld",
          "lld", "ld.gold", "ld.bfd", "mold", "as", "collect2", "make", "ninja", "cmake", "go",
          "javac", "tcc", "ghc", "swiftc", "tsc", "meson", "gmake", "lto1", "f951", "gfortran*"),
     LIST("com.sun.tools.javac", "org.gradle", "org.apache.maven"), NULL},
    {"debugger", "looks into other processes", "debugger",
     LIST("gdb", "gdbserver", "lldb", "lldb-server", "strace", "ltrace", "perf", "bpftrace", "rr",
          "valgrind*", "drgn", "delve", "dlv", "tcpdump", "tshark", "wireshark", "dumpcap"),
     NULL, NULL},
    {"interpreter", "runs scripts", "interpreter",
     LIST("python*", "perl*", "ruby*", "node", "nodejs", "php*", "lua*", "tclsh*", "java", "mono",
          "deno", "bun", "Rscript", "guile", "erl", "beam.smp", "dotnet"),
     NULL, NULL},
    {"terminal", "shows a terminal or asks for logins on one", "terminal",
     LIST("getty", "agetty", "mingetty", "tmux*", "screen", "SCREEN", "xterm", "gnome-terminal*",
          "konsole", "alacritty", "kitty", "foot", "urxvt", "rxvt*", "st", "terminator",
          "lxterminal", "xfce4-terminal", "wezterm-gui", "zellij", "script"),
     NULL, NULL},
    {"login", "lets users in", "login manager",
     LIST("login", "systemd-logind", "elogind", "gdm", "gdm3", "sddm", "lightdm", "xdm", "greetd",
          "su", "sudo", "doas", "polkitd", "accounts-daemon", "gdm-session-worker", "lxdm", "slim",
          "(sd-pam)", "sulogin", "nologin"),
     NULL, NULL},
    {"directory", "knows users and passwords", "directory server",
     LIST("slapd", "sssd", "sssd_be", "sssd_nss", "krb5kdc", "kadmind", "nslcd", "winbindd",
          "ns-slapd", "radiusd", "freeradius", "kdc", "samba-ad-dc", "ypserv", "ypbind"),
     NULL, PORTS({389, BOTH}, {636, TCP}, {88, BOTH}, {464, BOTH}, {1812, UDP}, {3268, TCP})},
    {"ftp", "serves files by FTP", "FTP server",
     LIST("vsftpd", "proftpd", "pure-ftpd", "ftpd", "in.ftpd", "bftpd", "uftpd", "tcpsvd", "tftpd",
          "in.tftpd", "atftpd", "udpsvd", "sftp-server"),
     NULL, PORTS({21, TCP}, {20, TCP}, {990, TCP}, {69, UDP})},
    {"telnet", "serves telnet", "telnet server",
     LIST("telnetd", "in.telnetd", "utelnetd", "inetd", "xinetd", "rlogind", "in.rlogind", "rshd"),
     NULL, PORTS({23, TCP}, {513, TCP}, {514, TCP})},
    {"share", "shares files over the network", "file server",
     LIST("smbd", "nmbd", "nfsd", "rpc.mountd", "rpc.statd", "rpcbind", "rpc.idmapd", "rpc.nfsd",
          "ganesha.nfsd", "afpd", "rsync", "rsyncd", "glusterfsd", "glusterd", "ceph-osd",
          "ceph-mon", "ceph-mds", "minio", "syncthing", "ksmbd*", "virtiofsd", "9pserve", "webdavd",
          "distccd", "blkmapd", "nfsdcld", "nbd-server", "tgtd", "iscsid"),
     NULL,
     PORTS({445, TCP}, {139, TCP}, {137, UDP}, {138, UDP}, {2049, BOTH}, {111, BOTH}, {548, TCP},
           {873, TCP}, {3260, TCP}, {10809, TCP})},
    {"printer", "prints", "printing service",
     LIST("cupsd", "cups-browsed", "lpd", "lprng", "ipp-usb", "cups-lpd", "p910nd", "lpsched"),
     NULL, PORTS({631, BOTH}, {515, TCP}, {9100, TCP})},
    {"firewall", "is a firewall or bans intruders", "firewall",
     LIST("firewalld", "fail2ban-server", "ufw", "nft", "ulogd", "suricata", "snort", "crowdsec",
          "sshguard", "denyhosts", "zeek", "opensnitchd", "iptables", "conntrackd", "csf",
          "shorewall", "nftables", "portsentry"),
     LIST("fail2ban-server"), NULL},
    {"vpn", "is a VPN", "VPN daemon",
     LIST("openvpn", "wg-quick", "wg-crypt*", "charon", "charon-systemd", "pluto", "tailscaled",
          "zerotier-one", "openconnect", "tincd", "strongswan", "xl2tpd", "pptpd", "vpnc", "racoon",
          "iked", "ocserv", "nebula", "wireguard-go", "boringtun", "netbird", "n2n", "softether"),
     NULL, PORTS({1194, BOTH}, {51820, UDP}, {500, UDP}, {4500, UDP}, {1701, UDP}, {1723, TCP})},
    {"display", "draws the screen", "display server",
     LIST("Xorg", "X", "Xwayland", "weston", "sway", "mutter", "gnome-shell", "kwin_wayland",
          "kwin_x11", "Xvfb", "Xvnc", "Xtigervnc", "x11vnc", "xrdp", "xrdp-sesman", "hyprland",
          "Hyprland", "labwc", "wayfire", "cage", "river", "vncserver", "wayvnc", "krfb", "picom",
          "plymouthd"),
     NULL, PORTS({6000, TCP}, {5900, TCP}, {5901, TCP}, {3389, TCP})},
    {"desktop", "belongs to the desktop", "desktop",
     LIST("gnome-session*", "gnome-shell", "plasmashell", "xfce4-session", "xfce4-panel",
          "xfdesktop", "lxsession", "cinnamon", "mate-session", "i3", "openbox", "kdeinit5",
          "ksmserver", "nautilus", "dolphin", "thunar", "xfwm4", "fluxbox", "icewm", "awesome",
          "dwm", "bspwm", "budgie-wm", "gsd-*", "waybar", "marco", "metacity", "startplasma*",
          "lxqt-session", "kded5", "kded6", "krunner", "tracker-miner*"),
     NULL, NULL},
    {"browser", "browses the web", "web browser",
     LIST("firefox*", "chromium*", "chrome", "google-chrome", "Web Content", "Isolated Web Co",
          "epiphany", "brave", "opera", "vivaldi*", "konqueror", "falkon", "midori", "lynx", "w3m",
          "links", "elinks", "qutebrowser", "WebKitWebProces", "Privileged Cont", "msedge", "surf",
          "GeckoMain"),
     NULL, NULL},
    {"bus", "passes messages between programs", "message bus",
     LIST("dbus-daemon", "dbus-broker", "dbus-broker-launch", "dbus-broker-lau", "dbus-launch",
          "ubusd"),
     NULL, NULL},
    {"queue", "queues messages", "message broker",
     LIST("mosquitto", "nats-server", "nsqd", "rabbitmq-server", "emqx", "beanstalkd", "gearmand",
          "celery", "qpidd", "artemis", "redpanda"),
     LIST("kafka.Kafka", "org.apache.activemq", "rabbitmq_server", "org.apache.zookeeper",
          "org.apache.pulsar"),
     PORTS({1883, TCP}, {8883, TCP}, {5672, TCP}, {5671, TCP}, {9092, TCP}, {4222, TCP},
           {61616, TCP}, {2181, TCP})},
    {"audio", "plays sound", "sound server",
     LIST("pipewire", "pipewire-pulse", "pulseaudio", "wireplumber", "jackd", "jackdbus", "alsactl",
          "mpd", "mpv", "vlc", "rtkit-daemon", "pipewire-media-session", "spotify", "icecast2"),
     NULL, PORTS({4713, TCP}, {6600, TCP})},
    {"device", "manages devices", "device manager",
     LIST("systemd-udevd", "udevd", "eudev", "mdev", "udisksd", "upowerd", "bluetoothd", "acpid",
          "irqbalance", "bolt", "boltd", "smartd", "lvmetad", "dmeventd", "multipathd", "mdadm",
          "thermald", "fwupd", "haveged", "rngd", "tuned", "power-profiles-daemon", "usbmuxd",
          "colord", "lvmpolld", "geoclue", "mdevd", "switcheroo-control"),
     NULL, NULL},
    {"package", "installs software", "package manager",
     LIST("apt", "apt-get", "dpkg", "dnf*", "yum", "rpm", "pacman", "apk", "zypper", "snapd",
          "flatpak*", "packagekitd", "unattended-upgr*", "pip", "pip3", "npm", "opkg",
          "xbps-install", "emerge", "nix-daemon", "yarn", "aptd", "apt.systemd.dai", "guix-daemon",
          "portage", "brew"),
     LIST("unattended-upgrade"), NULL},
    {"monitoring", "watches the system", "monitoring agent",
     LIST("prometheus", "node_exporter", "grafana", "grafana-server", "zabbix_agentd",
          "zabbix_agent2", "zabbix_server", "collectd", "telegraf", "nagios", "nrpe", "netdata",
          "snmpd", "munin-node", "icinga2", "monit", "datadog-agent", "top", "htop", "btop", "atop",
          "alertmanager", "statsd", "metricbeat", "sadc", "iostat", "vmstat", "iotop",
          "check_mk_agent", "newrelic-infra", "osqueryd", "wazuh-agentd", "falco", "ossec-agentd",
          "glances", "watchdog"),
     NULL,
     PORTS({9090, TCP}, {9100, TCP}, {3000, TCP}, {10050, TCP}, {161, UDP}, {5666, TCP},
           {19999, TCP})},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};

enum { CUT = 15 }; /* a process's name is cut to this many bytes (TASK_COMM_LEN less its end) */

static bool is_program(const char *known, const char *program, size_t bytes)
{
    size_t length = strlen(known);
    if (length > 0 && known[length - 1] == '*') {
        return bytes >= length - 1 && memcmp(known, program, length - 1) == 0;
    }
    return (length == bytes || (bytes == CUT && length > CUT)) &&
           memcmp(known, program, bytes) == 0;
}

static bool plays(const struct vt_role *role, const char *program, size_t bytes)
{
    for (const char *const *known = role->programs; *known != NULL; known++) {
        if (is_program(*known, program, bytes)) {
            return true;
        }
    }
    return false;
}

const struct vt_role *vt_role_find(const char *name)
{
    for (const struct vt_role *role = vt_roles; role->name != NULL; role++) {
        if (strcmp(role->name, name) == 0) {
            return role;
        }
    }
    return NULL;
}

bool vt_role_played(const struct vt_role *role, const char *program, const char *arguments)
{
    if (plays(role, program, strlen(program))) {
        return true;
    }
    if (arguments == NULL) {
        return false;
    }
    if (strcmp(program, "busybox") == 0) {
        const char *applet = arguments + strcspn(arguments, " ");
        applet += strspn(applet, " ");
        if (plays(role, applet, strcspn(applet, " "))) {
            return true;
        }
    }
    for (const char *const *part = role->arguments; part != NULL && *part != NULL; part++) {
        if (strstr(arguments, *part) != NULL) {
            return true;
        }
    }
    return false;
}

const struct vt_role *vt_role_of_program(const char *program)
{
    for (const struct vt_role *role = vt_roles; role->name != NULL; role++) {
        if (plays(role, program, strlen(program))) {
            return role;
        }
    }
    return NULL;
}

bool vt_role_serves(const struct vt_role *role, uint16_t port, unsigned protocols)
{
    for (const struct vt_role_port *p = role->ports; p != NULL && p->port != 0; p++) {
        if (p->port == port && (p->protocols & protocols) != 0) {
            return true;
        }
    }
    return false;
}
