// SPDX-License-Identifier: Apache-2.0
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "http/server_fixture.h"
#include "http/websocket.h"

namespace penstock::http {
namespace {

struct Pem {
    std::string certificate_file;
    std::string key_file;
};

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

// A certificate that signs itself, for the name and, if it is given, an alternative name.
Pem make_certificate(
    const std::filesystem::path& folder, const std::string& name, const std::string& alternative
) {
    const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const Certificate certificate(X509_new(), X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* const subject = X509_get_subject_name(certificate.get());
    const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, text, -1, -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    if (!alternative.empty()) {
        X509_EXTENSION* const extension =
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative.c_str());
        X509_add_ext(certificate.get(), extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    Pem pem{(folder / (name + ".crt")).string(), (folder / (name + ".key")).string()};
    std::FILE* file = std::fopen(pem.certificate_file.c_str(), "w");
    PEM_write_X509(file, certificate.get());
    std::fclose(file);
    file = std::fopen(pem.key_file.c_str(), "w");
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    return pem;
}

io::Task<Response> tell_peer(Request request) {
    co_return Response::text(200, (request.secure ? "secure " : "plain ") + request.peer_name);
}

io::Task<> write_much(BodyWriter writer) {
    const std::string piece(100'000, 'x');
    for (int i = 0; i < 50; ++i) (void)co_await writer.write(piece);
}

io::Task<> echo_once(std::shared_ptr<WebSocket> websocket) {
    const auto message = co_await websocket->receive();
    if (message && *message) (void)co_await websocket->send_text((*message)->data);
    (void)co_await websocket->receive();
}

io::Task<std::string> after_a_while(std::string text) {
    co_await io::sleep_for(5ms);
    co_return text;
}

io::Task<Response> watch_client(Request request) {
    const auto text = co_await request.client.unless_gone(after_a_while("still there"));
    co_return Response::text(200, text.value_or("gone"));
}

class TlsTest : public ServerFixture {
  protected:
    TlsTest()
        : folder(
              std::filesystem::temp_directory_path() /
              ("penstock_tls_" + std::to_string(::getpid()))
          ) {
        std::filesystem::create_directories(folder);
        pem = make_certificate(folder, "localhost", "IP:127.0.0.1,DNS:localhost");
        router.add("GET", "/peer", tell_peer);
        router.add("GET", "/watched", watch_client);
        router.add("GET", "/much", [](Request) -> io::Task<Response> {
            co_return Response{.status = 200, .headers = {}, .body = StreamBody(write_much)};
        });
        router.add("GET", "/echo", [](Request) -> io::Task<Response> {
            co_return Response::websocket(echo_once);
        });
    }
    ~TlsTest() override { std::filesystem::remove_all(folder); }
    void start_tls(std::string client_ca = {}) {
        start(
            {.tls = io::TlsServerOptions{pem.certificate_file, pem.key_file, std::move(client_ca)}}
        );
    }
    std::string url(const std::string& host = "127.0.0.1") const {
        return "https://" + host + ":" + std::to_string(server->local_port());
    }
    Result<ClientResponse> get_with(Client& with, const std::string& address) {
        return runtime.block_on(with.send({.url = address}, soon()));
    }
    std::filesystem::path folder;
    Pem pem;
};

TEST_F(TlsTest, ServesAClientThatTrustsTheCertificate) {
    start_tls();
    Client trusting(runtime, {.tls = {.ca_file = pem.certificate_file}});

    const Result<ClientResponse> by_address = get_with(trusting, url() + "/peer");
    const Result<ClientResponse> by_name = get_with(trusting, url("localhost") + "/peer");
    const Result<ClientResponse> much = get_with(trusting, url() + "/much");

    ASSERT_TRUE(by_address && by_name && much) << by_address.error().message;
    EXPECT_EQ(by_address->body, "secure ");
    EXPECT_EQ(much->body.size(), 5'000'000U);
    EXPECT_EQ(server->connections(), 2U);
}

TEST_F(TlsTest, AClientRefusesACertificateThatItDoesNotTrust) {
    start_tls();
    Client usual(runtime);

    const Result<ClientResponse> refused = get_with(usual, url() + "/peer");

    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find("certificate verify failed"), std::string::npos)
        << refused.error().message;
}

TEST_F(TlsTest, AClientRefusesACertificateForAnotherName) {
    pem = make_certificate(folder, "other", "DNS:other.example");
    start_tls();
    Client trusting(runtime, {.tls = {.ca_file = pem.certificate_file}});

    EXPECT_FALSE(get_with(trusting, url() + "/peer").has_value());
}

TEST_F(TlsTest, APersonMayTurnVerificationOff) {
    start_tls();
    Client blind(runtime, {.tls = {.verify = false}});

    EXPECT_TRUE(get_with(blind, url() + "/peer").has_value());
}

TEST_F(TlsTest, AskedClientsShowTheirCertificate) {
    const Pem agent = make_certificate(folder, "agent-7", "");
    start_tls(agent.certificate_file);
    Client known(
        runtime, {.tls =
                      {.ca_file = pem.certificate_file,
                       .certificate_file = agent.certificate_file,
                       .key_file = agent.key_file}}
    );
    Client unknown(runtime, {.tls = {.ca_file = pem.certificate_file}});

    const Result<ClientResponse> answer = get_with(known, url() + "/peer");

    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_EQ(answer->body, "secure agent-7");
    EXPECT_FALSE(get_with(unknown, url() + "/peer").has_value());
}

TEST_F(TlsTest, WebSocketsRunOverTls) {
    start_tls();
    Client trusting(runtime, {.tls = {.ca_file = pem.certificate_file}});
    const std::string address = "wss://127.0.0.1:" + std::to_string(server->local_port()) + "/echo";

    const auto websocket = runtime.block_on(trusting.connect_websocket(address, {}, soon()));
    ASSERT_TRUE(websocket.has_value()) << websocket.error().message;
    ASSERT_TRUE(runtime.block_on((*websocket)->send_text(std::string(100'000, 'w'))).has_value());
    const auto message = runtime.block_on((*websocket)->receive());

    ASSERT_TRUE(message && *message);
    EXPECT_EQ((*message)->data, std::string(100'000, 'w'));
}

TEST_F(TlsTest, WatchingTheClientLeavesTheConnectionUsable) {
    start_tls();
    Client trusting(runtime, {.tls = {.ca_file = pem.certificate_file}});

    for (int i = 0; i < 3; ++i) {
        const Result<ClientResponse> answer = get_with(trusting, url() + "/watched");
        ASSERT_TRUE(answer.has_value()) << answer.error().message;
        EXPECT_EQ(answer->body, "still there");
    }

    EXPECT_EQ(server->connections(), 1U);
}

TEST_F(TlsTest, APlainRequestToATlsPortGetsNoAnswer) {
    start_tls();

    EXPECT_EQ(raw("GET /peer HTTP/1.1\r\nHost: x\r\n\r\n").find("200"), std::string::npos);
}

TEST_F(TlsTest, AMissingKeyFileIsNamed) {
    Server broken(
        runtime, router, {.tls = io::TlsServerOptions{pem.certificate_file, "/nonexistent.key", {}}}
    );

    const Result<void> started = broken.start();

    ASSERT_FALSE(started.has_value());
    EXPECT_NE(started.error().message.find("/nonexistent.key"), std::string::npos);
}

}  // namespace
}  // namespace penstock::http
