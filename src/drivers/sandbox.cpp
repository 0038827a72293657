// SPDX-License-Identifier: Apache-2.0
#include "drivers/sandbox.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "drivers/files.h"

namespace penstock::drivers {
namespace {

constexpr std::array kTopFolders = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
// All of /etc that a task sees, as far as the host has it. Nothing here holds a secret.
constexpr std::array kEtc = {
    "ld.so.cache",  "ld.so.conf",      "ld.so.conf.d",    "alternatives",
    "ssl/certs",    "ssl/openssl.cnf", "ca-certificates", "ca-certificates.conf",
    "fonts",        "localtime",       "timezone",        "nsswitch.conf",
    "mime.types",   "magic",           "protocols",       "services",
    "povray",       "OpenCL",          "ImageMagick-6",   "openmpi",
    "gai.conf",     "python3",         "python3.11",      "java-17-openjdk",
    "libblas.so.3", "xattr.conf",
};
constexpr std::array kEtcOfTheNetwork = {"resolv.conf", "hosts", "host.conf"};

void append(std::vector<std::string>& out, std::initializer_list<std::string> more) {
    out.insert(out.end(), more);
}

bool is_absolute(const std::string& path) {
    return path.starts_with('/') && path.find("/../") == std::string::npos &&
           !path.ends_with("/..");
}

// bwrap makes missing parents of a mount point for root alone; a task must pass through them.
void add_parents(std::vector<std::string>& out, const std::string& target) {
    for (std::size_t at = target.find('/', 1); at != std::string::npos;
         at = target.find('/', at + 1))
        append(out, {"--dir", target.substr(0, at)});
}

void add_root_file_system(
    std::vector<std::string>& out, const Sandbox& sandbox, const LaunchSpec& spec
) {
    append(out, {"--ro-bind", "/usr", "/usr"});
    for (const std::string name : kTopFolders) {
        std::array<char, 4096> target{};
        const std::string path = "/" + name;
        // Where /bin is a link to usr/bin it stays one, so that both names are the same file.
        if (const ssize_t length = ::readlink(path.c_str(), target.data(), target.size() - 1);
            length > 0)
            append(
                out,
                {"--symlink", std::string(target.data(), static_cast<std::size_t>(length)), path}
            );
        else if (exists(path))
            append(out, {"--ro-bind", path, path});
    }
    append(
        out, {"--dir", "/etc", "--dir", "/etc/ssl", "--dir", "/run", "--dir", "/run/penstock",
              "--dir", "/var"}
    );
    for (const std::string name : kEtc)
        append(out, {"--ro-bind-try", "/etc/" + name, "/etc/" + name});
    if (spec.share_network)
        for (const std::string name : kEtcOfTheNetwork)
            append(out, {"--ro-bind-try", "/etc/" + name, "/etc/" + name});
    for (const auto& [name, unused] : generated_files(spec))
        append(out, {"--ro-bind", sandbox.run_directory + "/etc/" + name, "/etc/" + name});
    append(out, {"--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"});
    append(out, {"--symlink", "../tmp", "/var/tmp"});
    append(out, {"--bind", sandbox.run_directory + "/tmp", "/tmp"});
    append(out, {"--bind", sandbox.run_directory + "/work", "/work"});
}

void add_devices(std::vector<std::string>& out, const LaunchSpec& spec) {
    if (spec.devices.empty()) {
        // Programs that size their thread pools look for the CPUs here.
        append(out, {"--dir", "/sys", "--dir", "/sys/devices"});
        append(out, {"--ro-bind-try", "/sys/devices/system", "/sys/devices/system"});
        return;
    }
    append(out, {"--ro-bind", "/sys", "/sys", "--tmpfs", "/sys/fs/cgroup"});
    for (const std::string& device : spec.devices) {
        add_parents(out, device);
        append(out, {"--dev-bind", device, device});
    }
}

bool is_below(const std::string& path, const std::string& directory) {
    return path.starts_with(directory + "/");
}

void add_mounts(
    std::vector<std::string>& out, const std::vector<BindMount>& mounts, const std::string& work
) {
    for (const BindMount& mount : mounts) {
        const std::string& target = mount.target.empty() ? mount.source : mount.target;
        add_parents(out, target);
        // The task can put a link in place of its own folder, between setup and script at the
        // latest. bwrap would follow it on the host; a link is followed inside.
        if (is_below(mount.source, work))
            append(out, {"--symlink", "/work" + mount.source.substr(work.size()), target});
        else
            append(out, {mount.writable ? "--bind" : "--ro-bind", mount.source, target});
    }
}

std::string ulimits(const Sandbox& sandbox, const Limits& limits) {
    std::string text = "ulimit -c 0 || exit 126; ";
    if (!sandbox.limit_by_rlimits) return text;
    if (limits.pids > 0)
        text += fmt::format("ulimit -u {} || exit 126; ", limits.pids + kSandboxProcesses);
    if (limits.memory_bytes > 0)
        text += fmt::format(
            "ulimit -d {} || exit 126; ", std::max<std::int64_t>(limits.memory_bytes / 1024, 1)
        );
    return text;
}

// The first program inside; "$0" is the script. Before it says "started", a failure is the
// sandbox's and not the task's. It outlives the script's own shell when the run is stopped: that
// shell dies of TERM at once, and bwrap would take with it whatever is still saving its work.
std::string task_shell(const Sandbox& sandbox, const Limits& limits, bool stop_at_error) {
    return fmt::format(
        "{}echo started >&{} || exit 126; exec {}>&- {}>&- 7>&2 2> /dev/null\n"
        "trap stopping=1 TERM\n"
        // In a session of its own, `kill 0` of a script does not look like a stop.
        "setsid --wait /bin/bash {}\"$0\" 2>&7 7>&-\n"
        "code=$?\n"
        "while [ -n \"$stopping\" ]; do\n"
        "  stopping=\n"
        "  for process in /proc/[0-9]*; do [ \"${{process#/proc/}}\" -gt $$ ] && stopping=1; done\n"
        "  [ -z \"$stopping\" ] || sleep 0.02\n"
        "done\n"
        "exit $code",
        ulimits(sandbox, limits), kStartedFd, kStartedFd, kArgumentsFd, stop_at_error ? "-e " : ""
    );
}

Result<void> check_identity(const LaunchSpec& spec) {
    const std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    if (spec.attempt_id.empty() || spec.attempt_id.size() > kAttemptIdBytesMax ||
        spec.attempt_id.find_first_not_of(letters) != std::string::npos)
        return fail_field(
            ErrorCode::invalid_argument, "attempt_id",
            fmt::format(
                "'{}' is not an attempt id: 1 to {} of [a-z0-9_-]", spec.attempt_id,
                kAttemptIdBytesMax
            )
        );
    if (spec.fence < 1)
        return fail_field(ErrorCode::invalid_argument, "fence", "must be 1 or more");
    return {};
}

Result<void> check_environment(const LaunchSpec& spec) {
    std::size_t bytes = 0;
    for (const auto& [name, value] : spec.environment) {
        bytes += name.size() + value.size() + 2;
        if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos ||
            value.find('\0') != std::string::npos)
            return fail_field(
                ErrorCode::invalid_argument, "environment",
                fmt::format("'{}': a name is not empty and has no '=', and there is no NUL", name)
            );
    }
    if (bytes > kEnvironmentBytesMax)
        return fail_field(
            ErrorCode::invalid_argument, "environment", "is larger than 1 MiB: stage a file instead"
        );
    return {};
}

Result<void> check_mounts(const LaunchSpec& spec) {
    for (const BindMount& mount : spec.mounts) {
        if (!is_absolute(mount.source) || (!mount.target.empty() && !is_absolute(mount.target)))
            return fail_field(
                ErrorCode::invalid_argument, "mounts",
                fmt::format(
                    "'{}' on '{}': both must be absolute, without '..'", mount.source, mount.target
                )
            );
        if (!exists(mount.source))
            return fail_field(
                ErrorCode::not_found, "mounts", mount.source + ": no such file or directory"
            );
    }
    return {};
}

Result<void> check_devices(const LaunchSpec& spec) {
    for (const std::string& device : spec.devices) {
        struct stat status{};
        if (!device.starts_with("/dev/") || !is_absolute(device) ||
            ::stat(device.c_str(), &status) != 0 || !S_ISCHR(status.st_mode))
            return fail_field(
                ErrorCode::not_found, "devices", device + ": not a character device of this host"
            );
    }
    return {};
}

}  // namespace

Result<void> check_launch_spec(const LaunchSpec& spec) {
    TRY(check_identity(spec));
    if (spec.script.size() + spec.setup.size() > kScriptBytesMax)
        return fail_field(
            ErrorCode::invalid_argument, "script", "is larger than 1 MiB: stage a file instead"
        );
    TRY(check_environment(spec));
    const Limits& limits = spec.limits;
    if (limits.cpu_milli < 0 || limits.memory_bytes < 0 || limits.pids < 0)
        return fail_field(
            ErrorCode::invalid_argument, "limits", "must not be negative; 0 is no limit"
        );
    TRY(check_mounts(spec));
    return check_devices(spec);
}

std::vector<std::string> sandbox_command(
    const Sandbox& sandbox, const LaunchSpec& spec, bool stop_at_error, const std::string& script
) {
    std::vector<std::string> out = {
        sandbox.bwrap,   "--die-with-parent",    "--new-session", "--unshare-pid", "--unshare-ipc",
        "--unshare-uts", "--unshare-cgroup-try", "--hostname",    spec.attempt_id,
    };
    const std::string uid = fmt::format("{}", kTaskUid);
    const std::vector<std::string> user = {"--unshare-user", "--disable-userns",
                                           "--uid",          uid,
                                           "--gid",          uid,
                                           "--args",         fmt::format("{}", kArgumentsFd)};
    if (!spec.share_network) out.push_back("--unshare-net");
    if (!sandbox.host_uid) out.insert(out.end(), user.begin(), user.end());
    add_root_file_system(out, sandbox, spec);
    append(out, {"--ro-bind", sandbox.run_directory + "/" + script, "/run/penstock/" + script});
    add_devices(out, spec);
    add_mounts(out, sandbox.runtimes, sandbox.run_directory + "/work");
    add_mounts(out, spec.mounts, sandbox.run_directory + "/work");
    // What bwrap made itself belongs to the task's user when the agent is no root.
    append(out, {"--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/work", "--"});
    if (sandbox.host_uid) {
        const std::string host_uid = fmt::format("{}", *sandbox.host_uid);
        append(
            out, {sandbox.setpriv, "--reuid", host_uid, "--regid", host_uid, "--clear-groups",
                  "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"}
        );
        out.push_back(sandbox.bwrap);
        out.insert(out.end(), user.begin(), user.end());
        append(out, {"--dev-bind", "/", "/", "--chdir", "/work", "--"});
    }
    append(
        out, {"/bin/bash", "--norc", "--noprofile", "-c",
              task_shell(sandbox, spec.limits, stop_at_error), "/run/penstock/" + script}
    );
    return out;
}

std::vector<std::string> inner_arguments(const LaunchSpec& spec) {
    std::map<std::string, std::string> environment = {
        {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"HOME", "/work"},
        {"LANG", "C.UTF-8"},
        {"OMP_WAIT_POLICY", "passive"},
    };
    // Without it every process starts a thread per CPU of the host, and they fight for the quota.
    if (spec.limits.cpu_milli > 0)
        environment["OMP_NUM_THREADS"] = fmt::format("{}", (spec.limits.cpu_milli + 999) / 1000);
    for (const auto& [name, value] : spec.environment) environment[name] = value;
    std::vector<std::string> arguments = {"--clearenv"};
    for (const auto& [name, value] : environment) append(arguments, {"--setenv", name, value});
    return arguments;
}

std::map<std::string, std::string> generated_files(const LaunchSpec& spec) {
    std::map<std::string, std::string> files = {
        {"passwd", fmt::format(
                       "root:x:0:0:root:/root:/usr/sbin/nologin\n"
                       "task:x:{0}:{0}:task:/work:/bin/bash\n"
                       "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
                       kTaskUid
                   )},
        {"group", fmt::format("root:x:0:\ntask:x:{}:\nnogroup:x:65534:\n", kTaskUid)},
        {"hostname", spec.attempt_id + "\n"},
    };
    if (!spec.share_network)
        files["hosts"] = fmt::format("127.0.0.1 localhost {}\n::1 localhost\n", spec.attempt_id);
    return files;
}

}  // namespace penstock::drivers
