// SPDX-License-Identifier: Apache-2.0
#include "cli/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>

#include "config/settings.h"
#include "json/codec.h"

JSON_INSTANTIATE(penstock::cli::ConfigFile);
JSON_INSTANTIATE(penstock::cli::ProjectFile);
JSON_INSTANTIATE(penstock::cli::CredentialsFile);

namespace penstock::cli {
namespace {

constexpr mode_t kPrivateMode = 0600;
constexpr mode_t kPublicMode = 0644;

template <class T>
Result<T> load(const std::filesystem::path& file) {
    std::error_code failed;
    if (!std::filesystem::exists(file, failed)) return T{};
    std::expected<T, std::vector<Error>> settings = config::load<T>(file);
    if (!settings) return fail(ErrorCode::invalid_argument, config::render(settings.error()));
    return *std::move(settings);
}

Error system_error(const std::filesystem::path& file, std::string_view what) {
    return {
        ErrorCode::internal,
        "cannot " + std::string(what) + " " + file.string() + ": " + std::strerror(errno),
        {}
    };
}

// Owns a descriptor and the temporary name behind it until the rename.
struct NewFile {
    std::filesystem::path path;
    int descriptor = -1;
    ~NewFile() {
        if (descriptor >= 0) close(descriptor);
        if (!path.empty()) unlink(path.c_str());
    }
};

Result<void> write_whole(const std::filesystem::path& file, std::string_view bytes, mode_t mode) {
    std::error_code failed;
    std::filesystem::create_directories(file.parent_path(), failed);
    if (failed)
        return fail(
            ErrorCode::internal,
            "cannot make " + file.parent_path().string() + ": " + failed.message()
        );
    NewFile fresh{file.string() + "." + std::to_string(getpid()) + ".new"};
    fresh.descriptor =
        open(fresh.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fresh.descriptor < 0) return std::unexpected(system_error(fresh.path, "write"));
    // The mode of open() is cut by the umask, and a file left from before keeps its own.
    if (fchmod(fresh.descriptor, mode) != 0)
        return std::unexpected(system_error(fresh.path, "write"));
    while (!bytes.empty()) {
        const ssize_t written = write(fresh.descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return std::unexpected(system_error(fresh.path, "write"));
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (fsync(fresh.descriptor) != 0) return std::unexpected(system_error(fresh.path, "write"));
    if (rename(fresh.path.c_str(), file.c_str()) != 0)
        return std::unexpected(system_error(file, "replace"));
    fresh.path.clear();
    return {};
}

}  // namespace

Result<ConfigFile> load_config(const std::filesystem::path& file) { return load<ConfigFile>(file); }
Result<ProjectFile> load_project(const std::filesystem::path& file) {
    return load<ProjectFile>(file);
}

Result<CredentialsFile> load_credentials(const std::filesystem::path& file) {
    TRY(check_credentials_mode(file));
    return load<CredentialsFile>(file);
}

Result<void> check_credentials_mode(const std::filesystem::path& file) {
    struct stat status{};
    if (stat(file.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return {};
        return std::unexpected(system_error(file, "read"));
    }
    if ((status.st_mode & 077) != 0)
        return fail(
            ErrorCode::permission_denied,
            file.string() + " holds keys and can be read by others: run chmod 600 " + file.string()
        );
    if (status.st_uid != geteuid())
        return fail(
            ErrorCode::permission_denied,
            file.string() + " belongs to another user: make it yours with chown"
        );
    return {};
}

Result<void> save_config(const std::filesystem::path& file, const ConfigFile& config) {
    return write_whole(file, yaml::print(json::encode(config)), kPublicMode);
}

Result<void> save_credentials(
    const std::filesystem::path& file, const CredentialsFile& credentials
) {
    return write_whole(file, yaml::print(json::encode(credentials)), kPrivateMode);
}

Result<void> write_context(
    const std::filesystem::path& config_home, const ContextEntry& context, const std::string& key
) {
    ConfigFile config = TRY(load_config(config_home / "config.yaml"));
    const auto found = std::ranges::find(config.contexts, context.name, &ContextEntry::name);
    if (found == config.contexts.end())
        config.contexts.push_back(context);
    else
        *found = context;
    config.current_context = context.name;
    // The key first: a context without its key would be told as a wrong key.
    if (!key.empty()) {
        CredentialsFile credentials = TRY(load_credentials(config_home / "credentials"));
        credentials.keys[context.credential.value_or(context.name)] = key;
        TRY(save_credentials(config_home / "credentials", credentials));
    }
    return save_config(config_home / "config.yaml", config);
}

Result<void> write_context(
    const std::string& name, const std::string& endpoint, const std::string& key
) {
    return write_context(config::config_home(), {.name = name, .endpoint = endpoint}, key);
}

}  // namespace penstock::cli
