@echo off
rem First run: makes .venv, installs requirements.txt, starts the program. Later runs: start it.
rem   webui.bat [serve] [--port 7860 ...]     webui.bat txt2img "a red circle" -o out.png
setlocal
cd /d "%~dp0"
set "VENV=.venv"
if not "%KARARLI_VENV%"=="" set "VENV=%KARARLI_VENV%"

if exist "%VENV%\Scripts\python.exe" goto install
set "PYTHON="
for %%V in (3.13 3.12 3.11) do (
    if not defined PYTHON (
        py -%%V -c "" >nul 2>nul && set "PYTHON=py -%%V"
    )
)
if not defined PYTHON (
    python -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" >nul 2>nul && set "PYTHON=python"
)
if not defined PYTHON (
    echo Kararli needs Python 3.11, 3.12 or 3.13, and none was found. Install one from python.org, then start again.
    exit /b 1
)
echo Making the environment in %VENV% ...
%PYTHON% -m venv "%VENV%" || (
    echo Python could not make an environment. Reinstall Python from python.org, then start again.
    exit /b 1
)

:install
fc /b requirements.txt "%VENV%\installed-requirements.txt" >nul 2>nul && goto start
echo Installing requirements.txt (once; torch is large, this takes some minutes) ...
"%VENV%\Scripts\python.exe" -m pip install --disable-pip-version-check --no-input --retries 2 -r requirements.txt || (
    echo The installation failed; the lines above say why. Most often there is no network, or the disk is full: mend that and start again.
    exit /b 1
)
copy /y requirements.txt "%VENV%\installed-requirements.txt" >nul

:start
"%VENV%\Scripts\python.exe" webui.py %*
