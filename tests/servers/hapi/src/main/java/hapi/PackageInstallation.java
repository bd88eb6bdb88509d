package hapi;

import ca.uhn.fhir.jpa.packages.IPackageInstallerSvc;
import ca.uhn.fhir.jpa.packages.PackageInstallationSpec;
import ca.uhn.fhir.jpa.packages.PackageInstallationSpec.InstallModeEnum;
import ca.uhn.fhir.util.JsonUtil;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import org.hl7.fhir.utilities.npm.NpmPackage;

/**
 * Takes an npm-style FHIR package by POST, reads it with HAPI's own reader and installs it with
 * HAPI's own installer, as an operator's configuration of a server would; answers what was
 * installed. What it depends on is not fetched: the tests go without a package registry.
 */
final class PackageInstallation extends HttpServlet {
  private final transient IPackageInstallerSvc installer;

  PackageInstallation(IPackageInstallerSvc installer) {
    this.installer = installer;
  }

  @Override
  protected void doPost(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    byte[] content = request.getInputStream().readAllBytes();
    NpmPackage read = NpmPackage.fromPackage(new ByteArrayInputStream(content));
    PackageInstallationSpec asked =
        new PackageInstallationSpec()
            .setName(read.name())
            .setVersion(read.version())
            .setPackageContents(content)
            .setInstallMode(InstallModeEnum.STORE_AND_INSTALL)
            .setFetchDependencies(false);
    asked.setReloadExisting(true);
    response.setContentType("application/json");
    response.getWriter().write(JsonUtil.serialize(installer.install(asked)));
  }
}
