#ifndef KVOLT_TESTS_CERTIFICATE_HPP
#define KVOLT_TESTS_CERTIFICATE_HPP

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace test {

/// A self-signed certificate and its key, in two files that go with it.
class Certificate {
public:
    /// @param names   The first is the common name; all are DNS names, or `IP:127.0.0.1`, unless `only_common_name`.
    explicit Certificate(const std::vector<std::string>& names = {"localhost"}, bool only_common_name = false) {
        std::filesystem::create_directory(folder_);
        write(names, only_common_name);
    }

    ~Certificate() { std::filesystem::remove_all(folder_); }

    Certificate(const Certificate&) = delete;
    Certificate& operator=(const Certificate&) = delete;

    /// Write another one, with a new key, to the same files.
    void write(const std::vector<std::string>& names, bool only_common_name = false) {
        std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
        std::unique_ptr<X509, void (*)(X509*)> made(X509_new(), X509_free);
        static std::atomic<long> serial = 1;
        X509_set_version(made.get(), 2);
        ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial++);
        X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
        X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
        X509_set_pubkey(made.get(), key.get());
        X509_NAME* subject = X509_get_subject_name(made.get());
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(names.front().c_str()), -1, -1, 0);
        X509_set_issuer_name(made.get(), subject);
        if (!only_common_name) {
            std::string list;
            for (const std::string& name : names) {
                list += list.empty() ? "" : ",";
                list += (name.starts_with("IP:") ? "" : "DNS:") + name;
            }
            X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, list.c_str());
            X509_add_ext(made.get(), extension, -1);
            X509_EXTENSION_free(extension);
        }
        if (X509_sign(made.get(), key.get(), EVP_sha256()) == 0) throw std::runtime_error("cannot sign a certificate");
        save(file, [&](std::FILE* to) { return PEM_write_X509(to, made.get()); });
        save(key_file,
             [&](std::FILE* to) { return PEM_write_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    }

private:
    template <class Write>
    static void save(const std::string& path, Write write_to) {
        std::FILE* to = std::fopen(path.c_str(), "we");
        if (to == nullptr || write_to(to) != 1) throw std::runtime_error("cannot write " + path);
        std::fclose(to);
    }

    static inline std::atomic<int> count_ = 0;

    const std::string folder_ = std::filesystem::temp_directory_path() /
                                ("kvolt_certificate_" + std::to_string(::getpid()) + '_' + std::to_string(count_++));

public:
    const std::string file = folder_ + "/certificate.pem";
    const std::string key_file = folder_ + "/key.pem";
};

}  // namespace test

#endif
