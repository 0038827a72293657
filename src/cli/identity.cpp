// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/nouns.h"
#include "identity/c_url.h"
#include "model/identifier.h"

namespace penstock::cli {
namespace {

json::Value text_value(std::string_view text) { return boost::json::string(text); }

json::Object code_object(const identity::RegistrationCode& code) {
    return {
        {"code", identity::to_string(code)},    {"node", text_value(code.node.view())},
        {"org", text_value(code.org.view())},   {"city", text_value(code.city.view())},
        {"zone", text_value(code.zone.view())}, {"seq", code.seq},
        {"service", code.is_service()},
    };
}

json::Object resource_object(const identity::ResourcePart& part) {
    json::Array chips;
    for (const identity::ChipCount& chip : part.chips)
        chips.push_back(json::Object{{"chip", text_value(chip.chip.view())}, {"count", chip.count}}
        );
    return {{"kind", text_value(part.kind.view())}, {"chips", std::move(chips)}};
}

json::Object path_object(const identity::PathPart& part) {
    json::Array hops;
    for (const identity::PathCode& hop : part.hops) hops.push_back(text_value(hop.view()));
    return {{"protocol", text_value(part.protocol.view())}, {"hops", std::move(hops)}};
}

json::Object spec_object(const identity::SpecPart& part) {
    json::Array peak;
    for (const identity::PeakRate& rate : part.peak)
        peak.push_back(json::Object{
            {"value", rate.value},
            {"unit", std::string{static_cast<char>(rate.unit)}},
            {"precision", text_value(rate.precision.view())}
        });
    json::Object object{{"peak", std::move(peak)}};
    const auto size = [](const identity::SizeValue& value) {
        return json::Value(std::to_string(value.value) + static_cast<char>(value.unit));
    };
    if (part.memory) object["memory"] = size(*part.memory);
    if (part.storage) object["storage"] = size(*part.storage);
    if (part.network) object["network_gbit_per_s"] = part.network->gbit_per_s;
    if (!part.virtualisation.empty())
        object["virtualisation"] = text_value(part.virtualisation.view());
    return object;
}

json::Object parts_of(const identity::CUrl& url) {
    json::Object object{
        {"valid", true},
        {"canonical", identity::to_string(url)},
        {"authority", text_value(url.authority.view())}
    };
    object["registration"] = code_object(url.code);
    if (url.resource) object["resource"] = resource_object(*url.resource);
    if (url.spec) object["spec"] = spec_object(*url.spec);
    if (url.path) object["path"] = path_object(*url.path);
    if (url.service)
        object["service"] = json::Object{
            {"kind", text_value(url.service->kind.view())},
            {"name", text_value(url.service->name.view())},
            {"version", text_value(url.service->version.view())}
        };
    if (url.instance)
        object["instance"] = json::Object{
            {"host", identity::to_string(url.instance->host)}, {"ordinal", url.instance->ordinal}
        };
    if (url.view)
        object["view"] = *url.view == identity::CapacityView::total ? "total" : "available";
    return object;
}

const View& check_view() {
    static const View kView{
        .plural = "identifiers",
        .singular = "identity",
        .columns =
            {
                text_column("CANONICAL", "canonical"),
                text_column("CODE", "registration.code"),
                text_column("NODE", "registration.node"),
                text_column("ORG", "registration.org"),
                text_column("CITY", "registration.city"),
                text_column("ZONE", "registration.zone"),
                text_column("SEQ", "registration.seq"),
                text_column("RESOURCE", "resource"),
                text_column("SPEC", "spec"),
                text_column("PATH", "path"),
                text_column("SERVICE", "service"),
                text_column("INSTANCE", "instance"),
                text_column("VIEW", "view"),
            },
        .id = "registration.code",
    };
    return kView;
}

// Offline: says what a text names, or at which octet it goes wrong.
io::Task<Result<int>> check(Invocation* invocation) {
    bool first = true;
    for (const std::string& typed : invocation->arguments.operands) {
        const bool bare_code = !typed.contains(':');
        json::Object object;
        if (bare_code) {
            const auto code = identity::parse_identity_lenient(typed);
            if (!code) co_return std::unexpected(identity::to_error(code.error(), typed));
            object = {
                {"valid", true},
                {"canonical", identity::to_string(code->code)},
                {"registration", code_object(code->code)}
            };
        } else {
            const auto url =
                invocation->has("strict") ? identity::parse(typed) : identity::parse_lenient(typed);
            if (!url) co_return std::unexpected(identity::to_error(url.error(), typed));
            object = parts_of(*url);
        }
        if (invocation->arguments.operands.size() == 1 || invocation->printer.for_people())
            CO_TRY(invocation->printer.object(check_view(), object));
        else
            CO_TRY(invocation->printer.row(check_view(), object, first));
        first = false;
    }
    co_return kExitOk;
}

io::Task<Result<int>> get(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const json::Text answer =
        CO_TRY(co_await client->identifier(identity::tidy_input(invocation->operand(0))));
    const json::Value value = CO_TRY(json::parse_value(answer.text));
    std::string lines;
    if (const json::Object* object = value.if_object())
        for (const auto& [key, member] : *object)
            lines += std::string(key) + ": " + scalar_text(member) + "\n";
    CO_TRY(invocation->printer.document(value, lines));
    co_return kExitOk;
}

const View& list_view() {
    static const View kView{
        .plural = "identifiers",
        .singular = "identity",
        .columns =
            {
                text_column("CODE", "reg"),
                text_column("KIND", "kind"),
                text_column("NAME", "name"),
                text_column("C-URL", "c_url"),
                wide(text_column("OBJECT", "object")),
            },
        .id = "reg",
    };
    return kView;
}

io::Task<Result<int>> list(Invocation* invocation) {
    co_return co_await print_list<IdentifierPage>(invocation, "/v1/identifiers", &list_view());
}

}  // namespace

std::vector<Command> identity_commands() {
    return {
        {.path = "identity list",
         .summary = "identity.list.summary",
         .examples =
             {"penstock identity list", "penstock identity list --filter kind=service -o json"},
         .answer = Answer::list,
         .run = list},
        {.path = "identity check",
         .summary = "identity.check.summary",
         .examples =
             {"penstock identity check c-url://hb.node.example/R2101002420100A10000007KF",
              "penstock identity check R2101002420100A10000007KF -o json"},
         .operands = {{.name = "C-URL", .repeated = true}},
         .flags = {{.name = "strict", .help = "flag.strict"}},
         .run = check},
        {.path = "identity get",
         .summary = "identity.get.summary",
         .examples = {"penstock identity get c-url://hb.node.example/R2101002420100A10000007KF"},
         .operands = {{.name = "C-URL"}},
         .run = get},
    };
}

}  // namespace penstock::cli
