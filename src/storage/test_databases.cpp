// SPDX-License-Identifier: Apache-2.0
#include "storage/test_databases.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/check.h"
#include "storage/connection.h"

namespace penstock::storage {
namespace {

constexpr std::chrono::seconds kReadyWaitMax{20};

// Runs a program as user postgres when we are root; its output goes to `log`.
pid_t spawn(const std::vector<std::string>& command, const std::string& log) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (::getuid() == 0) {
        const passwd* user = ::getpwnam("postgres");
        if (user == nullptr || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0)
            ::_exit(126);
    }
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
}

int wait_for(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

std::string binaries() {
    for (const char* version : {"17", "16", "15", "14", "13"})
        if (const std::string folder = fmt::format("/usr/lib/postgresql/{}/bin", version);
            std::filesystem::exists(folder + "/initdb"))
            return folder;
    return {};
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "penstock-test-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr, "the temporary folder can be written");
    path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::unique_ptr<PostgresqlCluster> PostgresqlCluster::start() {
    const std::string bin = binaries();
    if (bin.empty()) return nullptr;
    std::unique_ptr<PostgresqlCluster> cluster(new PostgresqlCluster());
    const std::string& folder = cluster->folder_.path();
    if (const passwd* user = ::getuid() == 0 ? ::getpwnam("postgres") : nullptr)
        CHECK(::chown(folder.c_str(), user->pw_uid, user->pw_gid) == 0, "root gives folders away");
    const std::string data = folder + "/data", log = folder + "/log";
    const pid_t initdb = spawn(
        {bin + "/initdb", "-D", data, "-A", "trust", "-U", "penstock", "-E", "UTF8",
         "--locale=C.UTF-8", "--no-sync"},
        log
    );
    CHECK(wait_for(initdb) == 0, "initdb makes a cluster in an empty folder");
    cluster->server_ = spawn(
        {bin + "/postgres", "-D", data, "-c", "listen_addresses=", "-c",
         "unix_socket_directories=" + folder},
        log
    );
    const auto deadline = std::chrono::steady_clock::now() + kReadyWaitMax;
    while (!Connection::open({Engine::postgresql, "probe", {}}, cluster->url("postgres"))) {
        CHECK(std::chrono::steady_clock::now() < deadline, "PostgreSQL is ready within 20 s");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return cluster;
}

PostgresqlCluster::~PostgresqlCluster() {
    if (server_ <= 0) return;
    ::kill(server_, SIGQUIT);
    wait_for(server_);
}

std::string PostgresqlCluster::url(const std::string& database) const {
    return fmt::format("postgresql://penstock@/{}?host={}", database, folder_.path());
}

std::string PostgresqlCluster::new_database(const std::string& encoding) {
    const std::string name = fmt::format("test{}", ++databases_);
    const auto admin = Connection::open({Engine::postgresql, "admin", {}}, url("postgres"));
    CHECK(admin.has_value(), "the cluster is running");
    const Result<void> made = (*admin)->execute(fmt::format(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING '{}' LC_COLLATE 'C' LC_CTYPE 'C'", name,
        encoding
    ));
    CHECK(made.has_value(), "a new name is free");
    return url(name);
}

std::string TestDatabases::fresh_url(Engine engine) {
    if (engine == Engine::sqlite) {
        if (!folder_) folder_ = std::make_unique<TemporaryFolder>();
        return fmt::format("sqlite://{}/test{}.db", folder_->path(), ++files_);
    }
    static const std::unique_ptr<PostgresqlCluster> cluster = PostgresqlCluster::start();
    return cluster ? cluster->new_database() : std::string();
}

}  // namespace penstock::storage
