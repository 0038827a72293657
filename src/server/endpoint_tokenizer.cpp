// SPDX-License-Identifier: Apache-2.0
#include "server/endpoint_tokenizer.h"

#include <algorithm>

#include "config/settings.h"
#include "io/pool.h"
#include "routing/second_meter.h"
#include "tokenizer/tokenizer.h"

namespace penstock::server {
namespace {

constexpr const char* kField = "tokenizer_sha256";

Result<void> read_tokenizer(const std::filesystem::path& file) {
    const Result<std::string> bytes = config::read_file(file, tokenizer::kStoredBytesMax);
    if (!bytes)
        return fail_field(
            ErrorCode::invalid_argument, kField, "cannot be read: " + bytes.error().message
        );
    const Result<tokenizer::Tokenizer> made = tokenizer::Tokenizer::from_file(*bytes);
    if (made) return {};
    const Error& cause = made.error();
    return fail_field(
        ErrorCode::invalid_argument, kField,
        "is no tokenizer that texts can be counted with: " +
            (cause.field.empty() ? "" : cause.field + ": ") + cause.message
    );
}

}  // namespace

Result<void> check_tokenizer_stored(
    const Platform& platform, OrganisationId organisation, const std::string& sha256,
    std::string field
) {
    if (is_sha256(sha256) && platform.blob_owners.contains({sha256, organisation})) return {};
    return fail_field(
        ErrorCode::not_found, std::move(field),
        "was not uploaded: PUT it to /v1/blobs/{sha256} first"
    );
}

io::Task<Result<void>> check_tokenizer(
    TokenizerCheck with, OrganisationId organisation, std::string sha256
) {
    CO_TRY(check_tokenizer_stored(*with.platform, organisation, sha256, kField));
    const std::filesystem::path file = with.blobs->path_of(sha256);
    co_return co_await with.pool->run([&] { return read_tokenizer(file); });
}

bool is_tokenizer(const Platform& platform, const std::string& sha256) {
    return std::ranges::any_of(platform.endpoints, [&](const auto& row) {
        return row.second.endpoint.tokenizer_sha256 == sha256 &&
               row.second.endpoint.state != EndpointState::deleted;
    });
}

void SecondMeters::add(const CallRecord& call) {
    const auto found = platform_.endpoints.find(call.endpoint_id);
    if (found == platform_.endpoints.end() || !routing::both_counts(call)) return;
    Endpoint& endpoint = found->second.endpoint;
    // Of a tokenizer that was replaced meanwhile nothing is said.
    if (endpoint.tokenizer_sha256 != call.counted->tokenizer) return;
    if (!endpoint.second_meter) endpoint.second_meter.emplace();
    routing::add(*endpoint.second_meter, call);
    changed_.insert(call.endpoint_id);
}

void SecondMeters::store(Change& change) {
    for (const EndpointId& id : changed_) platform_.put(change, platform_.endpoints.at(id));
    changed_.clear();
}

}  // namespace penstock::server
