// SPDX-License-Identifier: Apache-2.0
// What a task of the process driver can see and do.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "drivers/process_driver_test.h"

namespace penstock::drivers {
namespace {

std::string uid_line(pid_t pid) {
    const Result<std::string> text = read_file(fmt::format("/proc/{}/status", pid));
    if (!text) return "gone";
    const std::size_t at = text->find("\nUid:\t") + 6;
    return text->substr(at, text->find('\n', at) - at);
}

bool is_root() { return ::geteuid() == 0; }

TEST_F(ProcessDriverTest, TheTaskIsAnOrdinaryUserInsideAndOutside) {
    const LaunchSpec task =
        spec("id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; echo ready; sleep 60"
        );
    started(task);
    ASSERT_TRUE(eventually([&] { return log(task).ends_with("ready\n"); }));

    const std::vector<pid_t> own = driver_->processes(task.attempt_id).value();

    EXPECT_EQ(
        log(task),
        "1000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nready\n"
    );
    ASSERT_GE(own.size(), 1U);
    const std::uint32_t uid =
        is_root() ? driver_->host_uid(task.attempt_id).value().value() : ::geteuid();
    for (const pid_t pid : own) EXPECT_EQ(uid_line(pid), fmt::format("{0}\t{0}\t{0}\t{0}", uid));
    EXPECT_NE(uid, 0U);
}

TEST_F(ProcessDriverTest, TwoRunsHaveTwoUsers) {
    if (!is_root()) GTEST_SKIP() << "an ordinary user has one user to give";
    const LaunchSpec one = spec("sleep 60");
    const LaunchSpec two = spec("sleep 60");
    started(one);
    started(two);

    EXPECT_NE(driver_->host_uid(one.attempt_id).value(), driver_->host_uid(two.attempt_id).value());
}

TEST_F(ProcessDriverTest, TheHostsFilesAreNotThere) {
    const LaunchSpec other = spec("echo secret > kept; sleep 60");
    started(other);
    const LaunchSpec task = spec(fmt::format(
        "for path in /root /etc/shadow /etc/ssh /home /var/lib /var/log /opt /boot /srv /mnt "
        "/sys/fs /proc/1/root/root /proc/1/root/etc/shadow /proc/2/root/etc/shadow {} {}; do "
        "if [ -e $path ] || ls $path > /dev/null 2>&1; then echo visible: $path; fi; done; "
        "ls /; ls -A /tmp /etc/passwd",
        under_test_.options.state_dir, driver_->prepare(other)->work_dir
    ));

    EXPECT_EQ(
        output(task), "bin\ndev\netc\n" + std::string(exists("/lib") ? "lib\n" : "") +
                          (exists("/lib32") ? "lib32\n" : "") +
                          (exists("/lib64") ? "lib64\n" : "") +
                          (exists("/libx32") ? "libx32\n" : "") +
                          "proc\nrun\nsbin\nsys\ntmp\nusr\nvar\nwork\n/etc/passwd\n\n/tmp:\n"
    );
}

TEST_F(ProcessDriverTest, WritesOnlyToItsWorkDirectoryAndTmp) {
    const LaunchSpec task = spec(
        "for path in / /usr /etc /run /var /run/penstock /sys /proc /dev; do "
        "(echo x > $path/probe) 2> /dev/null && echo writable: $path; done; "
        "for path in /work /tmp /var/tmp /dev/shm; do (echo x > $path/probe) 2> /dev/null || echo "
        "not writable: $path; done; "
        "echo done"
    );

    EXPECT_EQ(output(task), "done\n");
}

TEST_F(ProcessDriverTest, SeesOnlyItsOwnProcesses) {
    const LaunchSpec task = spec(
        "for p in /proc/[0-9]*; do read name < $p/comm; echo $name; done; "
        "[ -e /proc/" +
        std::to_string(::getpid()) + " ] && echo host"
    );

    // One bwrap is init; with root there is a second one, which made the user namespace.
    EXPECT_EQ(output(task), is_root() ? "bwrap\nbwrap\nbash\nbash\n" : "bwrap\nbash\nbash\n");
}

TEST_F(ProcessDriverTest, HasANetworkOfItsOwnUnlessItSharesTheHosts) {
    const LaunchSpec alone = spec("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '");
    LaunchSpec sharing = spec("readlink /proc/self/ns/net");
    sharing.share_network = true;
    std::array<char, 64> own{};
    ASSERT_GT(::readlink("/proc/self/ns/net", own.data(), own.size() - 1), 0);

    EXPECT_EQ(output(alone), "lo\n");
    EXPECT_EQ(output(sharing), std::string(own.data()) + "\n");
}

TEST_F(ProcessDriverTest, CannotMakeNamespacesMountOrGainRights) {
    const LaunchSpec task = spec(
        "unshare --user true 2> /dev/null && echo namespace made; "
        "mount -t tmpfs none /tmp 2> /dev/null && echo mounted; "
        "chroot / true 2> /dev/null && echo chrooted; "
        "kill -0 1 2> /dev/null && [ \"$(stat -c %u /proc/1)\" != 65534 ] && [ \"$(stat -c %u "
        "/proc/1)\" != 1000 ] && echo reached init; "
        "su -c true 2> /dev/null < /dev/null && echo su; echo done"
    );

    EXPECT_EQ(output(task), "done\n");
}

TEST_F(ProcessDriverTest, DevicesAreTheHarmlessOnesAndThoseGiven) {
    const LaunchSpec none = spec("ls /dev");
    LaunchSpec given = spec("ls /dev | grep -x kmsg");
    given.devices = {"/dev/kmsg"};
    LaunchSpec wrong = spec("true");
    wrong.devices = {"/dev/no-such-device"};

    EXPECT_EQ(
        output(none),
        "core\nfd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n"
    );
    if (exists("/dev/kmsg")) {
        EXPECT_EQ(output(given), "kmsg\n");
    }
    EXPECT_EQ(driver_->prepare(wrong).error().field, "devices");
}

TEST_F(ProcessDriverTest, RuntimesBelowAClosedFolderCanBeUsed) {
    std::string folder = "/tmp/penstock-closed-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);  // mode 0700, as /root is
    ASSERT_EQ(::mkdir((folder + "/venv").c_str(), 0755), 0);
    std::ofstream(folder + "/venv/tool") << "runtime tool\n";
    std::ofstream(folder + "/secret") << "secret\n";
    under_test_.options.runtimes = {{.source = folder + "/venv", .target = "/root/venv"}};
    driver_ = under_test_.open_process_driver();
    const LaunchSpec task = spec(
        "cat /root/venv/tool; (echo x > /root/venv/tool) 2> /dev/null || echo read-only; ls -A "
        "/root"
    );

    EXPECT_EQ(output(task), "runtime tool\nread-only\nvenv\n");
    under_test_.options.runtimes = {};
    EXPECT_TRUE(remove_tree(folder));
}

TEST_F(ProcessDriverTest, MountsOfTheAttemptAreReadOnlyUnlessTheySayOtherwise) {
    const std::string shared = under_test_.options.state_dir + "/.shared";
    ASSERT_EQ(::mkdir(shared.c_str(), 0777), 0);
    ASSERT_EQ(::chmod(shared.c_str(), 0777), 0);
    LaunchSpec task = spec(
        "(echo x > /data/a) 2> /dev/null || echo read-only; echo y > /scratch/b && echo written"
    );
    task.mounts = {
        {.source = shared, .target = "/data"},
        {.source = shared, .target = "/scratch", .writable = true}
    };
    LaunchSpec absent = spec("true");
    absent.mounts = {{.source = "/no/such/folder", .target = "/data"}};

    EXPECT_EQ(output(task), "read-only\nwritten\n");
    EXPECT_EQ(driver_->prepare(absent).error().code, ErrorCode::not_found);
}

TEST_F(ProcessDriverTest, ALinkInPlaceOfAMountedWorkFolderLeadsNowhere) {
    const std::string host = "/tmp/penstock-host-" + std::to_string(::getpid());
    ASSERT_EQ(::mkdir(host.c_str(), 0755), 0);
    std::ofstream(host + "/file") << "of the host\n";
    LaunchSpec task = spec(
        "cat /outputs/file 2> /dev/null || echo nothing; rm /work/out; mkdir /work/out; echo x > "
        "/outputs/y; ls /work/out"
    );
    task.setup = "rmdir /work/out; ln -s " + host + " /work/out";
    const std::string work = driver_->prepare(task)->work_dir;
    ASSERT_EQ(::mkdir((work + "/out").c_str(), 0755), 0);
    task.mounts = {{.source = work + "/out", .target = "/outputs", .writable = true}};

    EXPECT_EQ(output(task), "nothing\ny\n");
    EXPECT_TRUE(remove_tree(host));
}

TEST_F(ProcessDriverTest, TheEnvironmentIsOnNoCommandLineAndDoesNotReachRoot) {
    LaunchSpec task = spec("echo ready; sleep 60");
    task.environment = {{"TOKEN", "very-secret-token"}, {"LD_PRELOAD", "/work/evil.so"}};
    started(task);
    ASSERT_TRUE(eventually([&] { return log(task).find("ready") != std::string::npos; }));

    // Other processes come and go meanwhile: only a find counts, not grep's own exit code.
    EXPECT_EQ(::system("test -z \"$(grep -ls very-secret-toke[n] /proc/[0-9]*/cmdline)\""), 0);
    // Of bwrap's own processes none was given the task's environment.
    EXPECT_EQ(
        ::system("for p in $(pgrep -x bwrap); do tr '\\0' '\\n' < /proc/$p/environ 2> /dev/null; "
                 "done | grep -q evil"),
        256
    );
}

TEST_F(ProcessDriverTest, OpensOnlyRegularFilesBelowTheWorkDirectory) {
    const LaunchSpec task =
        spec("echo fine > fine; ln -s /etc/passwd link; mkdir d; ln -s /etc d/etc; mkfifo fifo");
    run(task);
    const std::string work = driver_->prepare(task)->work_dir;

    const FileDescriptor fine(open_beneath(work, "fine").value_or(-1));

    EXPECT_TRUE(fine.is_open());
    EXPECT_EQ(open_beneath(work, "link").error().code, ErrorCode::permission_denied);
    EXPECT_EQ(open_beneath(work, "d/etc/passwd").error().code, ErrorCode::permission_denied);
    EXPECT_EQ(open_beneath(work, "../script.sh").error().code, ErrorCode::permission_denied);
    EXPECT_EQ(open_beneath(work, "fifo").error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(open_beneath(work, "absent").error().code, ErrorCode::not_found);
}

TEST_F(ProcessDriverTest, RunsPythonAndThreadsInTheSandbox) {
    const LaunchSpec task = spec(
        "/usr/bin/python3 -c 'import multiprocessing as m, ssl, os\n"
        "if __name__ == \"__main__\":\n"
        "  q = m.Queue(); p = m.Process(target=q.put, args=(42,)); p.start(); print(q.get()); "
        "p.join()'"
    );

    EXPECT_EQ(output(task), "42\n");
}

}  // namespace
}  // namespace penstock::drivers
