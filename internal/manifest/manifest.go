// SPDX-License-Identifier: GPL-3.0-or-later

package manifest

// Manifest is a rastos.toml.
type Manifest struct {
	System       System       `toml:"system" need:"yes" doc:"The machine as a whole."`
	Packages     Packages     `toml:"packages" need:"yes" doc:"What is installed."`
	Repositories []Repository `toml:"repository" need:"yes" unique:"name" doc:"Where packages come from; the first repository that has a package wins."`
	Kernel       Kernel       `toml:"kernel" doc:"The kernel and its command line."`
	Disk         Disk         `toml:"disk" doc:"The disk or image that is built."`
	Users        []User       `toml:"user" unique:"name" doc:"People who log in. The user root may be listed too, to give it keys or a password."`
	Network      Network      `toml:"network" doc:"Name resolution and links."`
	Services     []Service    `toml:"service" unique:"name" doc:"A service to enable or to disable, or one defined in place by its command."`
	Containers   []Container  `toml:"container" unique:"name" later:"containers come with a later version" doc:"A container that runs at boot."`
	Snapshots    Snapshots    `toml:"snapshots" doc:"Which nodes are kept, and how often a new one is tried."`
	Health       []Health     `toml:"health" unique:"name" doc:"A command that must succeed before a boot is called good."`
	Update       Update       `toml:"update" doc:"The channel that the machine gets its systems from, in place of packages."`
	Drift        Drift        `toml:"drift" doc:"What may differ from the manifest without being told."`
	AUR          AUR          `toml:"aur" later:"the AUR comes with a later version" doc:"How packages from the AUR are built."`

	// SHA256 is the digest of the file as read, in hexadecimal.
	SHA256 string `toml:"-" json:"-"`
}

// System is [system].
type System struct {
	Hostname string `toml:"hostname" need:"yes" check:"hostname" doc:"Name of the machine."`
	Timezone string `toml:"timezone" check:"timezone" default:"UTC" doc:"Time zone."`
	Locale   string `toml:"locale" check:"locale" default:"C.UTF-8" doc:"Language and character set."`
	Keymap   string `toml:"keymap" check:"keymap" default:"us" doc:"Keyboard of the console."`
	Init     string `toml:"init" enum:"systemd" laterenum:"rinit" default:"systemd" doc:"What runs as PID 1."`
	// Agent is never nil after WithDefaults.
	Agent *bool `toml:"agent" default:"true" doc:"Install the guest agent, which starts only in a virtual machine that has a port for it."`
}

// Packages is [packages].
type Packages struct {
	Official []string `toml:"official" need:"yes" check:"package" nonempty:"yes" unique:"yes" doc:"Packages, groups and provided names, from the repositories."`
	AUR      []string `toml:"aur" check:"packagename" unique:"yes" doc:"Packages from the AUR. This version does not build them: one that is installed stays, one that is not is told."`
	Hold     []string `toml:"hold" check:"glob" unique:"yes" doc:"Packages, as shell patterns, that stay when they are installed, declared or not."`
	Ignore   []string `toml:"ignore" check:"glob" unique:"yes" doc:"Packages, as shell patterns, that an upgrade leaves as they are."`
	Engine   string   `toml:"engine" enum:"native|libalpm" default:"native" doc:"What installs packages: rastos itself, or the host's libalpm through rastos-libalpm."`
}

// Repository is one [[repository]].
type Repository struct {
	Name     string   `toml:"name" need:"yes" check:"repository" doc:"Name of the repository and its database."`
	Servers  []string `toml:"servers" need:"yes" check:"server" nonempty:"yes" unique:"yes" doc:"Mirrors in order of preference; $repo and $arch are replaced. A path is relative to the manifest."`
	SigLevel string   `toml:"siglevel" check:"siglevel" default:"required" doc:"Which signatures are wanted, in pacman's words."`
	Key      string   `toml:"key" check:"path" doc:"File with the public key to trust for this repository, relative to the manifest."`
	Usage    []string `toml:"usage" enum:"all|sync|search|install|upgrade" unique:"yes" default:"all" doc:"What the repository is used for."`
}

// Kernel is [kernel].
type Kernel struct {
	Package   string   `toml:"package" check:"package" default:"linux" doc:"Package that holds the kernel."`
	Cmdline   []string `toml:"cmdline" check:"cmdline" doc:"Words added to the kernel's command line."`
	Profile   string   `toml:"profile" enum:"container|development|production" later:"the kernel builder comes with a later version" doc:"Build a kernel from this profile in place of a package."`
	Source    string   `toml:"source" later:"the kernel builder comes with a later version" doc:"Kernel source to build."`
	Fragments []string `toml:"fragments" check:"path" later:"the kernel builder comes with a later version" doc:"Configuration fragments to add to the profile."`
}

// Disk is [disk].
type Disk struct {
	Size     Size     `toml:"size" check:"size" default:"8G" doc:"Size of the image. Images are sparse: it costs only what is used."`
	ESP      Size     `toml:"esp" check:"size" default:"512M" doc:"Size of the EFI system partition, which holds the kernels of all deployments."`
	Swap     Size     `toml:"swap" check:"size" default:"0" doc:"Size of the swap file; 0 for none."`
	Encrypt  bool     `toml:"encrypt" later:"encryption comes with a later version" doc:"Encrypt the system partition."`
	Compress string   `toml:"compress" check:"compress" default:"zstd:3" doc:"Compression of the file system."`
	Label    string   `toml:"label" check:"label" default:"rastos" doc:"Label of the file system."`
	Formats  []string `toml:"formats" enum:"raw|qcow2" nonempty:"yes" unique:"yes" default:"raw" doc:"Image formats to write."`
}

// User is one [[user]].
type User struct {
	Name         string   `toml:"name" need:"yes" check:"account" doc:"Login name."`
	UID          *int     `toml:"uid" min:"0" max:"60000" doc:"Number; by default the first free one from 1000, and it never changes afterwards."`
	Groups       []string `toml:"groups" check:"account" unique:"yes" doc:"Groups beside the user's own."`
	Shell        string   `toml:"shell" check:"abspath" default:"/bin/bash" doc:"Login shell."`
	SSHKeys      []string `toml:"ssh_keys" check:"sshkey" unique:"yes" doc:"Public keys that may log in."`
	PasswordHash string   `toml:"password_hash" check:"password" doc:"Hashed password, as mkpasswd prints it. Without one there is no login by password."`
	Comment      string   `toml:"comment" check:"gecos" doc:"Full name."`
}

// Network is [network].
type Network struct {
	Nameservers []string `toml:"nameservers" check:"ip" unique:"yes" doc:"Name servers for all links; by default those that DHCP gives."`
	Search      []string `toml:"search" check:"domain" unique:"yes" doc:"Domains to search for short names."`
	Links       []Link   `toml:"link" unique:"name" doc:"A network interface."`
	Bridges     []Device `toml:"bridge" unique:"name" later:"bridges come with a later version" doc:"A bridge."`
	VLANs       []Device `toml:"vlan" unique:"name" later:"VLANs come with a later version" doc:"A VLAN."`
	Bonds       []Device `toml:"bond" unique:"name" later:"bonds come with a later version" doc:"A bond."`
}

// Link is one [[network.link]].
type Link struct {
	Name      string   `toml:"name" need:"yes" check:"interface" doc:"Interface, or a pattern such as \"en*\"."`
	DHCP      bool     `toml:"dhcp" default:"false" doc:"Ask DHCP for addresses, routes and name servers."`
	Addresses []string `toml:"addresses" check:"cidr" unique:"yes" doc:"Static addresses."`
	Gateways  []string `toml:"gateways" check:"ip" unique:"yes" doc:"Default routes, one for each family."`
	DNS       []string `toml:"dns" check:"ip" unique:"yes" doc:"Name servers of this link."`
	MTU       int      `toml:"mtu" min:"576" max:"65535" doc:"Largest packet; by default the driver's."`
}

// Device is a bridge, VLAN or bond, which this version does not build.
type Device struct {
	Name  string   `toml:"name" need:"yes" check:"interface" doc:"Interface to make."`
	ID    int      `toml:"id" min:"1" max:"4094" doc:"VLAN number."`
	Links []string `toml:"links" check:"interface" unique:"yes" doc:"Interfaces below it."`
}

// Service is one [[service]].
type Service struct {
	Name        string            `toml:"name" need:"yes" check:"unit" doc:"Name of the service; \".service\" may be left out."`
	Enable      bool              `toml:"enable" default:"false" doc:"Start it at boot. A service defined here is started unless disable is set."`
	Disable     bool              `toml:"disable" default:"false" doc:"Never start it at boot, whatever its package says."`
	Description string            `toml:"description" check:"line" doc:"One line about a service defined here."`
	Command     string            `toml:"command" check:"execpath" doc:"Program with its arguments; this defines the service in place."`
	Type        string            `toml:"type" enum:"simple|exec|oneshot|notify|forking" default:"simple" doc:"When it counts as started."`
	Restart     string            `toml:"restart" enum:"no|on-failure|always" default:"no" doc:"When it is started again."`
	User        string            `toml:"user" check:"account" default:"root" doc:"Who runs it."`
	Environment map[string]string `toml:"environment" keys:"envname" check:"line" doc:"Environment variables."`
	After       []string          `toml:"after" check:"unit" unique:"yes" doc:"What must have been started before."`
}

// Container is one [[container]], which this version does not run.
type Container struct {
	Name        string            `toml:"name" need:"yes" check:"account" doc:"Name of the container."`
	Image       string            `toml:"image" need:"yes" check:"line" doc:"Image reference."`
	Command     []string          `toml:"command" check:"line" doc:"Program and arguments in place of the image's."`
	Ports       []string          `toml:"ports" check:"line" doc:"Published ports, \"8080:80\"."`
	Volumes     []string          `toml:"volumes" check:"line" doc:"Mounts, \"/srv/data:/data\"."`
	Environment map[string]string `toml:"environment" keys:"envname" check:"line" doc:"Environment variables."`
	Memory      Size              `toml:"memory" check:"size" doc:"Limit of memory."`
	Pids        int               `toml:"pids" min:"1" doc:"Limit of processes."`
	Restart     string            `toml:"restart" enum:"no|on-failure|always" default:"no" doc:"When it is started again."`
}

// Snapshots is [snapshots].
type Snapshots struct {
	Keep     Keep     `toml:"keep" doc:"What is kept beside what is booted, newest, last good, pinned or named. Without any of these keys, everything is."`
	Tries    int      `toml:"tries" min:"1" max:"9" default:"3" doc:"How often a new deployment may try to boot before the machine falls back."`
	Deadline Duration `toml:"deadline" check:"duration" default:"600s" doc:"How long the start-up may take; a boot that has not ended by then has failed."`
}

// Keep is [snapshots.keep].
type Keep struct {
	Last    int `toml:"last" min:"0" max:"10000" default:"0" doc:"So many of the newest deployments, and of the newest pictures and older versions of nodes."`
	Daily   int `toml:"daily" min:"0" max:"10000" default:"0" doc:"The last one of each of so many days."`
	Weekly  int `toml:"weekly" min:"0" max:"10000" default:"0" doc:"The last one of each of so many weeks."`
	Monthly int `toml:"monthly" min:"0" max:"10000" default:"0" doc:"The last one of each of so many months."`
}

// Update is [update].
type Update struct {
	From string   `toml:"from" check:"image" doc:"Image in an OCI registry that rastos upgrade --from follows when it is given no other."`
	Keys []string `toml:"keys" check:"signkey" unique:"yes" doc:"Public ed25519 keys that may sign images of nodes: the line of base64 that openssl pkey -pubout writes."`
}

// Health is one [[health]].
type Health struct {
	Name    string   `toml:"name" need:"yes" check:"unit" doc:"Name of the check."`
	Command string   `toml:"command" need:"yes" check:"execpath" doc:"Program with its arguments; it must exit with 0."`
	Timeout Duration `toml:"timeout" check:"duration" default:"60s" doc:"How long one try of it may take."`
	Retries int      `toml:"retries" min:"0" max:"100" default:"0" doc:"How often it may fail before the boot counts as failed; the tries are five seconds apart."`
}

// Drift is [drift].
type Drift struct {
	Ignore []string `toml:"ignore" check:"driftglob" unique:"yes" doc:"Differences that rastos drift passes over, as shell patterns of what it prints: kind:name."`
}

// AUR is [aur], which this version does not use.
type AUR struct {
	Helper string   `toml:"helper" check:"package" doc:"Helper to install on the machine."`
	MinAge Duration `toml:"min_age" check:"duration" doc:"How old a release must be before it is built."`
	Review string   `toml:"review" enum:"always|changed|never" default:"changed" doc:"When the build script is shown before it runs."`
}
