// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/human_text.h"
#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/nouns.h"
#include "cli/version.h"

namespace penstock::cli {
namespace {

constexpr Duration kClockSkewMax =
    5s;  // beyond it tokens expire early and times in lists look wrong

enum class Verdict : std::uint8_t { ok, warning, failed };

// What was looked at, in order; a failed check does not stop the ones that can still tell
// something.
class Findings {
  public:
    explicit Findings(Language language) : language_(language) {}
    void add(std::string_view check, Verdict verdict, std::string detail, std::string remedy = {}) {
        constexpr std::array<std::string_view, 3> kNames = {"ok", "warning", "failed"};
        failed_ = failed_ || verdict == Verdict::failed;
        rows_.push_back(json::Object{
            {"check", boost::json::string(check)},
            {"status", boost::json::string(kNames.at(static_cast<std::size_t>(verdict)))},
            {"detail", std::move(detail)},
            {"remedy", std::move(remedy)},
        });
    }
    template <class... Args>
    std::string words(MessageKey key, const Args&... args) const {
        return format(language_, key, args...);
    }
    bool failed() const { return failed_; }
    json::Value page() const {
        return json::Object{{"checks", rows_}, {"total", static_cast<std::int64_t>(rows_.size())}};
    }

  private:
    Language language_;
    json::Array rows_;
    bool failed_ = false;
};

void check_configuration(const Invocation& invocation, Findings& findings) {
    const Settings& settings = invocation.settings;
    if (settings.endpoint.is_set())
        findings.add(
            "endpoint", Verdict::ok, settings.endpoint.value + " (" + settings.endpoint.source + ")"
        );
    else
        findings.add(
            "endpoint", Verdict::failed, findings.words("doctor.no_endpoint"),
            findings.words("doctor.no_endpoint_remedy")
        );
    const std::filesystem::path file = invocation.surroundings.config_home / "credentials";
    std::error_code failed;
    const Result<void> mode = check_credentials_mode(file);
    if (!mode)
        findings.add(
            "credentials", Verdict::failed, mode.error().message, "chmod 600 " + file.string()
        );
    else if (std::filesystem::exists(file, failed))
        findings.add("credentials", Verdict::ok, file.string() + " (0600)");
    else if (settings.key.is_set())
        findings.add("credentials", Verdict::ok, settings.key.source);
    else
        findings.add(
            "credentials", Verdict::warning, findings.words("doctor.no_key"),
            findings.words("doctor.no_key_remedy")
        );
}

// "Tue, 24 Nov 2026 19:52:53 GMT".
std::optional<Time> parse_http_date(const std::string& text) {
    std::tm parts{};
    const char* end = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr) return std::nullopt;
    return Time(std::chrono::seconds(timegm(&parts)));
}

void check_clock(const Invocation& invocation, const std::string& date, Findings& findings) {
    const std::optional<Time> server = parse_http_date(date);
    if (!server) return findings.add("clock", Verdict::warning, findings.words("doctor.no_date"));
    const Duration skew = invocation.clock.now() - *server;
    const Duration size = skew < Duration(0) ? -skew : skew;
    // The field counts whole seconds, so up to one of them is no difference.
    if (size <= kClockSkewMax)
        findings.add(
            "clock", Verdict::ok, findings.words("doctor.clock_ok", span_text(kClockSkewMax))
        );
    else
        findings.add(
            "clock", Verdict::warning, findings.words("doctor.clock_skew", span_text(size)),
            findings.words("doctor.clock_remedy")
        );
}

io::Task<Result<void>> check_server(Invocation* invocation, Findings* findings) {
    client::Client* client = CO_TRY(invocation->client());
    const Duration before = invocation->clock.monotonic();
    const Result<Version> version = co_await client->version();
    if (!version) {
        findings->add(
            "reachable", Verdict::failed, version.error().message,
            findings->words("doctor.unreachable_remedy")
        );
        co_return Result<void>();
    }
    findings->add(
        "reachable", Verdict::ok,
        std::to_string(to_ms(invocation->clock.monotonic() - before)) + " ms"
    );
    const bool same = version->version == client_version();
    findings->add(
        "version", same ? Verdict::ok : Verdict::warning,
        findings->words("doctor.versions", client_version(), version->version),
        same ? "" : findings->words("doctor.versions_remedy")
    );
    check_clock(*invocation, client->connection().last_date(), *findings);
    const Result<void> ready = co_await client->ready();
    if (ready)
        findings->add("ready", Verdict::ok, "/readyz");
    else
        findings->add("ready", Verdict::failed, ready.error().message);
    const Result<WhoAmI> caller = co_await client->whoami();
    if (caller)
        findings->add(
            "key", Verdict::ok,
            caller->organisation + "/" + caller->project + " (" + caller->key + ")"
        );
    else
        findings->add(
            "key", Verdict::failed, caller.error().message, findings->words("doctor.no_key_remedy")
        );
    co_return Result<void>();
}

io::Task<Result<int>> doctor(Invocation* invocation) {
    static const View kView{
        .plural = "checks",
        .singular = "check",
        .columns =
            {text_column("CHECK", "check"), text_column("STATUS", "status"),
             text_column("DETAIL", "detail"), text_column("REMEDY", "remedy")},
        .id = "check",
    };
    Findings findings(invocation->language);
    check_configuration(*invocation, findings);
    if (invocation->settings.endpoint.is_set())
        CO_TRY(co_await check_server(invocation, &findings));
    CO_TRY(invocation->printer.list(kView, findings.page()));
    co_return findings.failed() ? info(ErrorCode::unavailable).exit_code : kExitOk;
}

}  // namespace

std::vector<Command> doctor_commands() {
    return {
        {.path = "doctor",
         .summary = "doctor.summary",
         .examples = {"penstock doctor", "penstock doctor -o json"},
         .run = doctor}
    };
}

}  // namespace penstock::cli
